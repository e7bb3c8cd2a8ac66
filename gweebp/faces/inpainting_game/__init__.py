"""The images of the inpainting game as files, in the layout in which the paper's authors publish theirs."""

from gweebp.faces.inpainting_game.layout import COLUMNS
from gweebp.faces.inpainting_game.reading import Found, faceset, read
from gweebp.faces.inpainting_game.writing import write

__all__ = ["COLUMNS", "Found", "faceset", "read", "write"]
