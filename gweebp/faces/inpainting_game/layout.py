"""The authors' layout: where the images of the inpainting game lie, and the table that lists them.

    <root>/data/inpainting-game/<dataset>/filtered_masks_threshold-<network>.csv

is a table with one row an image:

    SUBJECT_ID          who
    TRIPLET_SET         PROBE, a sketch, or REF, a photo
    MASK_ID             the part exchanged, 0 to 5: an index into PARTS
    ORIGINAL_BASENAME   name of the image, for people to read
    OriginalFile        OP of a PROBE row, OM of a REF row; a path relative to <root>
    InpaintingFile      IP or IN; its mask lies beside it, with `_mask` before the suffix, not 0 where it was inpainted

Of one subject and part, the PROBE row gives OP, IP and the region, the REF row OM and IN and, where it has a mask, the
mate region. A table lists the quadruplets that qualify for its network. Further columns are ignored.
"""

from __future__ import annotations

from pathlib import Path

COLUMNS = ("SUBJECT_ID", "TRIPLET_SET", "MASK_ID", "ORIGINAL_BASENAME", "OriginalFile", "InpaintingFile")
FOLDER = Path("data", "inpainting-game")


def mask_of(inpainted: Path) -> Path:
    """Where the mask of the image `inpainted` lies.

    >>> mask_of(Path("7/3.png")).as_posix()
    '7/3_mask.png'
    """
    return inpainted.with_stem(f"{inpainted.stem}_mask")


def table_name(network: str) -> str:
    """File name of the table of one `network`.

    >>> table_name("lcnn9")
    'filtered_masks_threshold-lcnn9.csv'
    """
    return f"filtered_masks_threshold-{network}.csv"
