"""Sets of faces with a photo and a sketch of each subject, and what the two games are played on."""

from gweebp.faces.faceset import FaceSet, split_identities
from gweebp.faces.quadruplets import PARTS, Quadruplets

__all__ = ["PARTS", "FaceSet", "Quadruplets", "split_identities"]
