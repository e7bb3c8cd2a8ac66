"""A procedural world of faces: photos, two kinds of sketch, and exact doppelgängers for the inpainting game."""

from gweebp.faces.synthetic.dataset import faceset
from gweebp.faces.synthetic.doppelgangers import doppelgangers
from gweebp.faces.synthetic.world import World

__all__ = ["World", "doppelgangers", "faceset"]
