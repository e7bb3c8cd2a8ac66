"""Search in galleries of any size: the nearest faces, exactly, with a gallery that may lie on the disk.

A gallery is a tensor of embeddings, or a file that `save_gallery` wrote and `open_gallery` maps into memory: ten
million embeddings of length 512 take 10 GB of the disk in float16, and no more of the memory than a block of them.
Distances are L2 between unit embeddings, 0..2, as in `gweebp.networks.verification`, and come out to the same bits.

The search is exact. A product of matrices finds who may be among the nearest, with a margin for its rounding, and only
their distances are computed. An index of FAISS, or anything that searches as one does, may name the candidates instead;
`recall` measures what that loses.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from gweebp.networks import blocks
from gweebp.networks.blocks import Gallery
from gweebp.networks.verification import distances, unit
from gweebp.support.files import atomic

__all__ = ["Index", "open_gallery", "recall", "save_gallery", "search"]

CANDIDATES = 100  # that an index names of each probe


class Index(Protocol):
    """What names candidates: an index of FAISS over the gallery's unit embeddings, in the gallery's order."""

    def search(self, x: np.ndarray, k: int, /) -> tuple[Any, Any]:
        """The k nearest faces of the gallery to each row.

        Args:
            x: embeddings, float32 (t, d).
            k: how many.

        Returns:
            Scores, and rows of the gallery (t, k), −1 for none.
        """
        ...


def search(
    probe: Tensor,
    gallery: Gallery,
    k: int = 1,
    *,
    own: Tensor | None = None,
    index: Index | None = None,
    candidates: int = CANDIDATES,
    block: int = 2**22,
    progress: bool = False,
) -> tuple[Tensor, Tensor]:
    """The k faces of a gallery that are nearest to each probe; of equally near ones the first.

    Args:
        probe: embeddings (t, d), normalised here.
        gallery: embeddings (g, d), a tensor or an array, of any floating-point type, normalised here block by block.
        k: how many, at most g.
        own: bool (g,) or (t, g), faces that are left out, such as those of the probe's own person; None: there are
            none.
        index: finds candidates, so that the search does not read the whole gallery; None: the search is exact.
        candidates: how many it finds for each probe, at least k and those left out; their distances are exact.
        block: numbers in memory at a time, whatever the size of the gallery.
        progress: show a bar, where there is a terminal.

    Returns:
        index int64 (t, k) into the gallery and distance (t, k), 0..2, nearest first, on the probe's device.

    Raises:
        TypeError, ValueError: for embeddings that cannot be normalised or have two lengths, or fewer than k to choose
            from.

    >>> gallery = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> search(gallery[:1], gallery, k=2)
    (tensor([[0, 1]]), tensor([[0.0000, 0.7654]]))
    """
    p = unit(probe, "probe embeddings")
    precision = blocks.precision(p.dtype, gallery)
    if p.shape[1] != gallery.shape[1]:
        lengths = f"probe has embeddings of length {p.shape[1]} and gallery of length {gallery.shape[1]}"
        raise ValueError(f"{lengths}: they are of two networks")
    found = _Nearest(p.to(precision), k, _passed_over(own, len(p), gallery))
    if index is not None:
        found.among(gallery, _named(index, p, max(candidates, k)))
    else:
        rows = max(1, block // max(*p.shape, 1))
        starts = range(0, len(gallery), rows)
        for start in tqdm(starts, desc="gallery", unit_scale=rows, disable=None if progress else True):
            found.look(start, blocks.read(gallery, slice(start, start + rows), found.probe))
    fewest = int((found.index >= 0).sum(1).min()) if len(p) else k
    if fewest < k and index is None and not fewest:
        everyone = f"the gallery of {len(gallery)} faces"
        raise ValueError(f"{everyone} shows nobody but the probe's own person: add other people")
    if fewest < k:
        whose = "in the gallery" if index is None else "that the index names: ask it for more candidates"
        raise ValueError(f"{k} faces are wanted, and a probe has {fewest} others {whose}")
    return found.index, found.distance


def recall(probe: Tensor, gallery: Gallery, index: Index, k: int = 1, **options: Any) -> float:
    """Share of the k nearest faces of each probe that a search by an index finds; it misses the rest.

    Args:
        probe, gallery, index, k: as of `search`.
        options: its `own`, `candidates` and `block`.

    Returns:
        In 0..1.

    Raises:
        TypeError, ValueError: as `search`.

    >>> class First:  # an index that knows the first face only
    ...     def search(self, x, k):
    ...         return None, np.zeros((len(x), 1), dtype=int)
    >>> recall(torch.eye(4), torch.eye(4), First())
    0.25
    """
    exact, _ = search(probe, gallery, k, **options)
    p = unit(probe, "probe embeddings")
    found = _Nearest(p.to(blocks.precision(p.dtype, gallery)), k, _passed_over(options.get("own"), len(p), gallery))
    found.among(gallery, _named(index, p, max(options.get("candidates", CANDIDATES), k)))
    return (exact[:, :, None] == found.index[:, None, :]).any(2).double().mean().item()


def save_gallery(path: str | Path, embeddings: Iterable[Tensor], *, dtype: str = "float16") -> tuple[int, int]:
    """Write embeddings to a file of NumPy's format, block by block as they come, for `open_gallery`.

    Args:
        path: the file, `.npy`; it appears when all is written, and an existing file is not replaced.
        embeddings: tensors (n, d) of one d, for example `(embed(net, images) for images in batches)`.
        dtype: "float16" (distances to about 0.001) or "float32".

    Returns:
        (g, d), the shape of the gallery.

    Raises:
        FileExistsError: where the file exists.
        TypeError, ValueError: for embeddings without direction or of two lengths, or for none.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "gallery.npy"
    >>> save_gallery(path, (torch.eye(4)[i : i + 2] for i in (0, 2)))
    (4, 4)
    >>> search(torch.eye(4)[2:3], open_gallery(path))[0]
    tensor([[2]])
    """
    path = Path(path)
    if path.suffix != ".npy":
        raise ValueError(f"{path} must end in .npy: it is a file of NumPy's format")
    if dtype not in ("float16", "float32"):
        raise ValueError(f'dtype must be "float16" or "float32", got {dtype!r}')
    if path.exists():
        raise FileExistsError(f"{path} exists: name another file, or remove it")
    rows, d = 0, 0
    with atomic(path) as temporary, temporary.open("wb") as file:
        for e in embeddings:
            units = unit(e.float())
            d = d or units.shape[1]
            if units.shape[1] != d:
                raise ValueError(f"embeddings of length {units.shape[1]} after such of length {d}: of two networks")
            if not rows:
                _write_header(file, dtype, (0, d))
            file.write(np.ascontiguousarray(units.cpu().numpy().astype(dtype)).tobytes())
            rows += len(units)
        if not rows:
            raise ValueError("no embeddings: a gallery needs at least one face")
        file.seek(0)
        _write_header(file, dtype, (rows, d))  # as long as the first: NumPy leaves room for 21 digits of rows
    return rows, d


def open_gallery(path: str | Path) -> np.ndarray:
    """A gallery that `save_gallery` wrote, read-only; memory holds only the parts that are read.

    Args:
        path: of the file.

    Returns:
        Embeddings (g, d), an array that is mapped from the file.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a file that is not of NumPy's format, is cut off, or does not hold embeddings (g, d).
    """
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise ValueError(f"{path} is not a gallery that save_gallery wrote, or it was cut off: {error}") from None
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind != "f" or 0 in found.shape:
        shape = getattr(found, "shape", "no array")
        raise ValueError(f"{path}: expected embeddings (g, d) of floating-point numbers, got {shape}")
    return found


class _Nearest:
    """The k nearest so far: index (t, ≤ k), distance (t, ≤ k), in ascending order of distance, then of index."""

    def __init__(self, probe: Tensor, k: int, own: Tensor | None) -> None:
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(f"k must be a whole number of at least 1, got {k!r}")
        self.probe, self.k, self.own = probe, k, own
        self.index = torch.full((len(probe), k), -1, dtype=torch.int64, device=probe.device)
        self.distance = torch.full((len(probe), k), torch.inf, dtype=probe.dtype, device=probe.device)

    def look(self, start: int, part: Tensor) -> None:
        """Take what is nearer in rows `start` and on of the gallery, embeddings (n, d) of any length."""
        length = torch.linalg.vector_norm(part, dim=1)
        if not (length.isfinite() & (length > torch.finfo(length.dtype).tiny ** 0.5)).all():
            part = unit(part, "gallery embeddings")  # an error; or so long, or so short, that their squares don't fit
            length = torch.ones_like(length)
        with torch.autocast(part.device.type, enabled=False):
            similarity = (self.probe @ part.T).div_(length)
        if self.own is not None:
            own = self.own[..., start : start + len(part)].to(part.device)
            similarity = similarity.masked_fill(own, -torch.inf)
        margin = blocks.margin(part)
        best = similarity.topk(min(self.k, len(part))).values[:, -1] if len(part) >= self.k else -torch.inf
        # |p - g|² = 2 - 2 p·g: nearer than the k-th so far, and not below the block's own k-th
        least = torch.maximum(1 - self.distance[:, -1].square() / 2, similarity.new_tensor(-2.0))
        least = torch.maximum(least, torch.as_tensor(best, dtype=least.dtype, device=least.device) - margin) - margin
        row, column = (similarity >= least[:, None]).nonzero(as_tuple=True)
        keep = similarity[row, column] > -torch.inf
        self._take(row[keep], column[keep] + start, unit(part[column[keep]]))

    def among(self, gallery: Gallery, rows: Tensor) -> None:
        """Take the nearest of the rows (t, c) of the gallery; -1 is none, and a row that is named twice counts once."""
        rows = rows.sort(1).values
        fits = rows >= 0
        fits[:, 1:] &= rows[:, 1:] != rows[:, :-1]
        probe = torch.arange(len(rows), device=rows.device)[:, None].expand_as(rows)[fits]
        named = rows[fits]
        if self.own is not None:
            own = self.own.to(rows.device)
            passed = own[named] if own.dim() == 1 else own[probe, named]
            probe, named = probe[~passed], named[~passed]
        for i in range(0, len(named), 65536):
            at = named[i : i + 65536]
            self._take(
                probe[i : i + 65536], at, unit(blocks.read(gallery, at.cpu().numpy(), self.probe), "gallery embeddings")
            )

    def _take(self, row: Tensor, index: Tensor, embeddings: Tensor) -> None:
        """Merge face `index` (n,) of an embedding into what probe `row` (n,) has; both ascend."""
        if not len(row):
            return
        d = distances(self.probe[row][:, None], embeddings[:, None]).flatten()  # the bits of any block's
        everyone = torch.arange(len(self.probe), device=row.device).repeat_interleave(self.k)
        row = torch.cat([everyone, row])
        index = torch.cat([self.index.flatten(), index])
        d = torch.cat([self.distance.flatten(), d])
        order = d.sort(stable=True).indices
        order = order[row[order].sort(stable=True).indices]
        row = row[order]
        place = torch.arange(len(row), device=row.device) - torch.searchsorted(row, row)
        order = order[place < self.k]
        self.index, self.distance = index[order].view(-1, self.k), d[order].view(-1, self.k)


def _passed_over(own: Tensor | None, probes: int, gallery: Gallery) -> Tensor | None:
    if own is None:
        return None
    shapes = ((len(gallery),), (probes, len(gallery)))
    if not isinstance(own, Tensor) or own.dtype != torch.bool or tuple(own.shape) not in shapes:
        got = f"{own.dtype} {tuple(own.shape)}" if isinstance(own, Tensor) else type(own).__name__
        raise ValueError(f"own must be bool {shapes[0]} or {shapes[1]}, got {got}")
    return own


def _named(index: Index, probe: Tensor, candidates: int) -> Tensor:
    _, rows = index.search(np.ascontiguousarray(probe.float().cpu().numpy()), candidates)
    found = torch.as_tensor(np.asarray(rows), dtype=torch.int64).to(probe.device)
    if found.dim() != 2 or len(found) != len(probe):
        raise ValueError(f"the index named rows {tuple(found.shape)}, expected ({len(probe)}, {candidates})")
    return found


def _write_header(file: Any, dtype: str, shape: tuple[int, int]) -> None:
    about = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, about)
