"""gweEBP: which regions of a probe made a face-embedding network choose its mate over a non-mate.

`explain(net, probe, mate, nonmate)` gives the map, `overlay(image, map)` a picture of it; `mwp` the marginal winning
probabilities behind it; METHODS the methods. A reproduction of Wang et al. (2025),
https://doi.org/10.1016/j.patrec.2025.03.032.
"""

from gweebp.excitation import LostMassWarning, TokenWarning, mwp
from gweebp.excitation.gain import NoGainWarning, RoundingWarning
from gweebp.excitation.graph import UnsupportedOperation
from gweebp.excitation.positions import positions
from gweebp.methods import METHODS
from gweebp.methods.maps import resize
from gweebp.overlay import overlay
from gweebp.saliency import EmptyMapWarning, explain

__version__ = "0.1.0"
__all__ = [
    "METHODS",
    "EmptyMapWarning",
    "LostMassWarning",
    "NoGainWarning",
    "RoundingWarning",
    "TokenWarning",
    "UnsupportedOperation",
    "explain",
    "mwp",
    "overlay",
    "positions",
    "resize",
]
