"""The two games that judge a map: hiding (Sec. 3.1) and inpainting (Sec. 3.2).

They know maps and embeddings, not methods: any map of any method can be played. `truth` scores maps without a game
where the cause of the change is known, `rank_correlation` compares the rankings that yardsticks give.
"""

from gweebp.games import bootstrap, hiding, inpainting, masks, rank_correlation, roc, truth

__all__ = ["bootstrap", "hiding", "inpainting", "masks", "rank_correlation", "roc", "truth"]
