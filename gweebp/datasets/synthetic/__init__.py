"""A procedural world of faces: photos, two kinds of sketch, and exact doppelgängers for the inpainting game."""

from gweebp.datasets.synthetic.doppelgangers import doppelgangers
from gweebp.datasets.synthetic.faces import faceset
from gweebp.datasets.synthetic.world import World

__all__ = ["World", "doppelgangers", "faceset"]
