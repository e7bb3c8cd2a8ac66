"""The two games that judge a map: hiding (Sec. 3.1) and inpainting (Sec. 3.2).

They know maps and embeddings, not methods: any map of any method can be played.
"""

from gweebp.games import bootstrap, hiding, inpainting, masks, roc

__all__ = ["bootstrap", "hiding", "inpainting", "masks", "roc"]
