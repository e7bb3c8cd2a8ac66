"""Readers of real sets of faces, from the folders in which they are distributed."""
