"""The authors' layout, written: images as PNG, then the table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from gweebp.faces.inpainting_game.layout import COLUMNS, FOLDER, mask_of, table_name
from gweebp.faces.quadruplets import PARTS, Quadruplets
from gweebp.support import files


def write(root: str | Path, dataset: str, network: str, quadruplets: Quadruplets, ids: Sequence[str]) -> Path:
    """Write quadruplets in the layout, images as PNG: `read` gives the same back, to the bit.

    Args:
        root: the folder in which data/inpainting-game is made.
        dataset, network: names in its paths.
        quadruplets: at most one of each subject and part; OP and OM of a subject are one image each.
        ids: names of the subjects, `quadruplets.subject` indexes them; they become names of folders.

    Returns:
        the path of the table, which is written last.

    >>> import tempfile, torch
    >>> from gweebp.faces.inpainting_game import read
    >>> images, one = torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.tensor([0])
    >>> four = Quadruplets(images, images, images, images, torch.ones(1, 4, 4, dtype=torch.bool), one, one)
    >>> folder = tempfile.mkdtemp()
    >>> write(folder, "demo", "lcnn9", four, ["anna"]).name, read(folder, "demo", "lcnn9").ids
    ('filtered_masks_threshold-lcnn9.csv', ('anna',))
    """
    home = Path(root)
    _check_writable(quadruplets, ids)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for i in range(len(quadruplets)):
        q, subject, part = quadruplets, ids[int(quadruplets.subject[i])], int(quadruplets.part[i])
        mate_region = None if q.mate_region is None else q.mate_region[i]
        sides = (("PROBE", q.op[i], q.ip[i], q.region[i]), ("REF", q.om[i], q.in_[i], mate_region))
        for kind, original, inpainted, mask in sides:
            before = FOLDER / dataset / "aligned" / subject / f"{kind.lower()}.png"
            after = before.with_stem(f"{kind.lower()}-{part}-{PARTS[part]}")
            files.write_image(home / before, original)
            files.write_image(home / after, inpainted)
            if mask is not None:
                files.write_image(home / mask_of(after), mask)
            table.writerow([subject, kind, part, before.stem, before.as_posix(), after.as_posix()])
    path = home / FOLDER / dataset / table_name(network)
    with files.atomic(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    return path


def _check_writable(quadruplets: Quadruplets, ids: Sequence[str]) -> None:
    pairs = list(zip(quadruplets.subject.tolist(), quadruplets.part.tolist(), strict=True))
    if len(set(pairs)) < len(pairs):
        twice = next((ids[s], PARTS[p]) for s, p in pairs if pairs.count((s, p)) > 1)
        raise ValueError(f"the layout holds one quadruplet of a subject and part, there are several of {twice}")
    for subject in dict.fromkeys(s for s, _ in pairs):
        if not ids[subject] or ids[subject] in (".", "..") or set(ids[subject]) & set('/\\:*?"<>|,\n'):
            raise ValueError(f"subject {ids[subject]!r} can't be the name of a folder: give it another id")
        mine = quadruplets.subject == subject
        for name, images in (("OP", quadruplets.op[mine]), ("OM", quadruplets.om[mine])):
            if not (images == images[:1]).all():
                raise ValueError(f"the layout holds one {name} of a subject, {ids[subject]} has several")
