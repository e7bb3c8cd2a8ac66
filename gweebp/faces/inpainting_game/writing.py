"""The authors' layout, written: images as PNG, then the table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gweebp.faces.inpainting_game.layout import COLUMNS, FOLDER, mask_of, table_name
from gweebp.faces.quadruplets import PARTS, Quadruplets
from gweebp.support import files


def write(root: str | Path, dataset: str, network: str, quadruplets: Quadruplets, ids: Sequence[str]) -> Path:
    """Write quadruplets in the layout, images as PNG: `read` gives the same back, to the bit.

    Args:
        root: the folder in which data/inpainting-game is made.
        dataset, network: names in its paths. What is there already and differs is never replaced: ValueError.
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
    for name in (dataset, network):
        _check_name(name, "the name")
    _check_writable(quadruplets, ids)
    images: dict[Path, Tensor] = {}
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
            images |= {home / before: original, home / after: inpainted}
            if mask is not None:
                images[home / mask_of(after)] = mask
            table.writerow([subject, kind, part, before.stem, before.as_posix(), after.as_posix()])
    path = home / FOLDER / dataset / table_name(network)
    missing = [image for image, pixels in images.items() if not _is_there(image, pixels)]
    if path.exists() and path.read_bytes() != text.getvalue().encode():
        raise ValueError(f"{path} is there and lists other quadruplets: name another folder or network, or remove it")
    for image in missing:
        files.write_image(image, images[image])
    with files.atomic(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    return path


def _is_there(path: Path, image: Tensor) -> bool:
    """Whether this very image is there; ValueError where it is another one, which is never replaced."""
    if not path.exists():
        return False
    found, own = files.read_image(path), image.to(torch.uint8) * 255 if image.dtype == torch.bool else image
    if not torch.equal(found, own.expand_as(found) if found.shape[1:] == own.shape[-2:] else own):
        raise ValueError(f"{path} is there and is another image: name another folder or dataset, or remove it")
    return True


def _check_name(name: str, what: str) -> None:
    if not name or name in (".", "..") or set(name) & set('/\\:*?"<>|,\n'):
        raise ValueError(f"{what} {name!r} can't be the name of a folder: choose another one")


def _check_writable(quadruplets: Quadruplets, ids: Sequence[str]) -> None:
    pairs = list(zip(quadruplets.subject.tolist(), quadruplets.part.tolist(), strict=True))
    if len(set(pairs)) < len(pairs):
        twice = next((ids[s], PARTS[p]) for s, p in pairs if pairs.count((s, p)) > 1)
        raise ValueError(f"the layout holds one quadruplet of a subject and part, there are several of {twice}")
    for subject in dict.fromkeys(s for s, _ in pairs):
        _check_name(ids[subject], "subject")
        mine = quadruplets.subject == subject
        for name, images in (("OP", quadruplets.op[mine]), ("OM", quadruplets.om[mine])):
            if not (images == images[:1]).all():
                raise ValueError(f"the layout holds one {name} of a subject, {ids[subject]} has several")
