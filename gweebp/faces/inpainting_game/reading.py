"""The authors' layout, read: quadruplets with the names of their subjects, and what could not be read."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.faces.faceset import FaceSet
from gweebp.faces.inpainting_game.layout import COLUMNS, FOLDER, mask_of, table_name
from gweebp.faces.quadruplets import PARTS, Quadruplets
from gweebp.support import files
from gweebp.support.tables import read_table

NUMBER = re.compile(r"^0*(\d+)(\.0*)?$")
NEEDED = set(COLUMNS) - {"ORIGINAL_BASENAME"}

Row = dict[str, str]
Read = Callable[[Path], Tensor]


class Found(NamedTuple):
    """What `read` found: quadruplets, whose `subject` indexes `ids`, and what it skipped, [{"item": ., "why": .}]."""

    quadruplets: Quadruplets
    ids: tuple[str, ...]
    skipped: list[dict[str, str]]


def read(root: str | Path, dataset: str, network: str, *, size: int | None = None) -> Found:
    """Read the quadruplets listed for one network.

    A quadruplet of which a row or an image is missing, corrupt or of another size is skipped: listed with the reason,
    and a warning says how many.

    Args:
        root: the folder that holds data/inpainting-game; data itself will do.
        dataset: name of the folder in it, such as "UoM".
        network: name in the table's file name, such as "lcnn9".
        size: resize all to squares of so many pixels (images antialiased bilinear, masks by nearest); None: they are
            of one size already.

    Raises:
        FileNotFoundError: no such folder or table; the message lists what there is.
        ValueError: a table without the columns, or no quadruplet that can be read.

    >>> read("no/such/folder", "UoM", "lcnn9")
    Traceback (most recent call last):
    FileNotFoundError: no folder no/such/folder/data/inpainting-game/UoM: unpack the data so that it is there
    """
    home = _home(Path(root))
    rows: dict[tuple[str, str], list[Row]] = {}
    for row in _rows(_table(home / FOLDER / dataset, dataset, network)):
        rows.setdefault((row["SUBJECT_ID"], row["MASK_ID"]), []).append(row)
    image = lru_cache(maxsize=16)(files.read_image)  # the originals are those of several parts
    found: list[tuple[str, dict[str, Tensor | None]]] = []
    skipped: list[dict[str, str]] = []
    for (subject, mask), four in rows.items():
        try:
            quadruplet = _quadruplet(home, four, image, size)
            _check_size(quadruplet, found[0][1] if found else quadruplet)
            found.append((subject, quadruplet))
        except (OSError, ValueError) as error:
            # the user's own folders stay out of records, which may be published
            why = str(error).replace(f"{home}/", "")
            skipped.append({"item": f"subject {subject}, mask {mask}", "why": why})
    _report(skipped, len(rows), home / FOLDER / dataset)
    ids = tuple(dict.fromkeys(subject for subject, _ in found))
    tensors: dict[str, Any] = {name: [q[name] for _, q in found] for name in found[0][1]}
    if any(mask is None for mask in tensors["mate_region"]):
        del tensors["mate_region"]
    index = torch.tensor([ids.index(subject) for subject, _ in found])
    return Found(Quadruplets(**{k: torch.stack(v) for k, v in tensors.items()}, subject=index), ids, skipped)


def faceset(found: Found, name: str) -> FaceSet:
    """The people of the quadruplets as a set of faces that all test: photos OM, sketches OP; nobody to train on.

    Args:
        found: the quadruplets that were read.
        name: of the set.

    >>> images, one = torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.tensor([0])
    >>> four = Quadruplets(images, images, images, images, torch.ones(1, 4, 4, dtype=torch.bool), one, one)
    >>> faceset(Found(four, ("anna",), []), "UoM").sizes["test"]
    1
    """
    four = found.quadruplets
    rows = torch.tensor([int((four.subject == i).nonzero()[0]) for i in range(len(found.ids))])
    return FaceSet(
        name=name,
        ids=found.ids,
        photos=four.om[rows],
        sketches=four.op[rows],
        split=torch.full((len(rows),), 2),
        record={"sizes": {"quadruplets": len(four), "subjects": len(rows)}, "skipped": found.skipped},
    )


def _home(root: Path) -> Path:
    inside = root.name == FOLDER.parent.name and (root / FOLDER.name).is_dir()
    return root.parent if inside else root


def _table(folder: Path, dataset: str, network: str) -> Path:
    """The table of one network; its name may name the dataset too."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: unpack the data so that it is there")
    names = [table_name(network), table_name(f"{dataset}-{network}")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    there = sorted(path.name for path in folder.glob("*.csv"))
    raise FileNotFoundError(f"no {names[0]} in {folder}; the tables there: {', '.join(there) or 'none'}")


def _rows(path: Path) -> list[Row]:
    rows = [{key: row[key].strip() for key in NEEDED} for _, row in read_table(path, sorted(NEEDED))]
    # other programs write the same number as 3, 3.0 or 00003
    return [row | {"MASK_ID": NUMBER.sub(r"\1", row["MASK_ID"])} for row in rows]


def _quadruplet(home: Path, rows: list[Row], image: Read, size: int | None) -> dict[str, Tensor | None]:
    probe, ref = (_only(rows, kind) for kind in ("PROBE", "REF"))
    part = probe["MASK_ID"]
    if part not in map(str, range(len(PARTS))):
        raise ValueError(f"its MASK_ID is {part!r}, expected 0 to {len(PARTS) - 1} ({', '.join(PARTS)})")
    found: dict[str, Tensor | None] = {"part": torch.tensor(int(part)), "mate_region": None}
    for row, original, inpainted, region in ((probe, "op", "ip", "region"), (ref, "om", "in_", "mate_region")):
        before, after = (_path(home, row[column]) for column in ("OriginalFile", "InpaintingFile"))
        found[original], found[inpainted] = (_resized(image(path), size, "bilinear") for path in (before, after))
        if region == "region" or mask_of(after).is_file():
            found[region] = _resized(image(mask_of(after)), size, "nearest").amax(0) > 0
    region_found = found["region"]
    if region_found is None or not region_found.any():
        raise ValueError("its mask is empty: nothing was inpainted")
    return found


def _only(rows: list[Row], kind: str) -> Row:
    of_kind = [row for row in rows if row["TRIPLET_SET"].upper() == kind]
    if len(of_kind) != 1:
        raise ValueError(f"it has {len(of_kind)} rows with TRIPLET_SET {kind}, expected one")
    return of_kind[0]


def _path(home: Path, text: str) -> Path:
    if not text:
        raise ValueError("its row names no file")
    return home / text.replace("\\", "/").removeprefix("./")


def _resized(image: Tensor, size: int | None, mode: str) -> Tensor:
    if size is None or image.shape[1:] == (size, size):
        return image
    x = F.interpolate(image[None].float(), size=(size, size), mode=mode, antialias=mode == "bilinear")[0]
    return x.round().clamp(0, 255).to(torch.uint8)


def _check_size(quadruplet: dict[str, Tensor | None], first: dict[str, Tensor | None]) -> None:
    like = first["op"]
    for name, tensor in quadruplet.items():
        if like is not None and tensor is not None and tensor.dim() and tensor.shape[-2:] != like.shape[-2:]:
            had, expected = ("x".join(map(str, x.shape[:-3:-1])) for x in (tensor, like))
            raise ValueError(f"its {name} has {had} pixels, others have {expected}: read them with a size")


def _report(skipped: list[dict[str, str]], listed: int, folder: Path) -> None:
    if listed == len(skipped):
        first = f"; first: {skipped[0]['item']}: {skipped[0]['why']}" if skipped else ""
        raise ValueError(f"none of {listed} quadruplets in {folder} can be read{first}")
    if skipped:
        first = "; ".join(f"{item['item']}: {item['why']}" for item in skipped[:3])
        warnings.warn(f"skipped {len(skipped)} of {listed} quadruplets in {folder}; first: {first}", stacklevel=3)
