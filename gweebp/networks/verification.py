"""Verification: embeddings of images, their distances, ROC, threshold at a false-positive rate, rank in a gallery.

Every distance is the L2 distance between unit embeddings, 0..2. A pair is accepted when its distance is at most the
threshold.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from gweebp.excitation import tensors
from gweebp.excitation.guard import lent
from gweebp.excitation.tensors import unusable
from gweebp.networks import as_input, blocks
from gweebp.networks.blocks import Gallery

__all__ = ["distances", "embed", "pairs", "rank_k", "ranks", "roc", "threshold_at_fpr", "unit"]

FARTHEST = 2.0  # L2 distance of opposite unit embeddings


def unit(embeddings: Tensor, name: str = "embeddings") -> Tensor:
    """L2-normalise embeddings of any length that is not zero.

    Args:
        embeddings: (n, d), floating point.
        name: of the embeddings, for errors.

    Returns:
        (n, d), each row of L2 length 1.

    Raises:
        TypeError: for what is not a tensor of floating-point numbers.
        ValueError: for another shape; or an embedding that is zero, NaN or infinite, because it has no direction.

    >>> unit(torch.tensor([[3.0, 4.0], [3e30, 4e30]]))
    tensor([[0.6000, 0.8000],
            [0.6000, 0.8000]])
    """
    if kind := unusable(embeddings):
        raise TypeError(f"{name} must be a tensor (n, d) of floating-point numbers, got {kind}")
    if embeddings.dim() != 2 or not embeddings.shape[1]:
        hint = "; for one embedding, x[None]" if embeddings.dim() == 1 else ""
        raise ValueError(f"{name} must be (n, d), got {tuple(embeddings.shape)}{hint}")
    fits = embeddings.isfinite().all(1) & (embeddings != 0).any(1)
    if bad := (~fits).nonzero().flatten().tolist():
        raise ValueError(
            f"{len(bad)} of {len(embeddings)} {name} are zero, NaN or infinite (first: {bad[:5]}); "
            "check the network's weights and the images"
        )
    return tensors.unit(embeddings)


@torch.no_grad()
def embed(net: nn.Module, images: Tensor, *, batch: int = 64, progress: bool = False) -> Tensor:
    """Unit embeddings of images at rest, computed in eval mode; the network's training flags are put back.

    Args:
        net: a network of `gweebp.networks`, or one with the same attributes.
        images: uint8 (n, 3, h, w).
        batch: images at a time.
        progress: show a bar, where there is a terminal.

    Returns:
        float32 (n, d) on the CPU, each row of L2 norm 1.

    Raises:
        ValueError: no images, images of a wrong shape, or an embedding that is zero, NaN or infinite.

    >>> from gweebp import networks
    >>> images = torch.randint(256, (5, 3, 40, 40), dtype=torch.uint8, generator=torch.manual_seed(0))
    >>> embed(networks.build("lcnn9", seed=0, width=0.125, size=32), images).norm(dim=1).round()
    tensor([1., 1., 1., 1., 1.])
    """
    if len(images) == 0:
        raise ValueError("no images to embed: the set is empty")

    def forward() -> list[Tensor]:
        rows = []
        for chunk in tqdm(images.split(batch), desc="embeddings", disable=None if progress else True):
            # channels last: up to twice as fast on narrow networks, and the user's weights stay as they are
            x = as_input(net, chunk).contiguous(memory_format=torch.channels_last)
            rows.append(net(x).float().cpu())
        return rows

    return unit(torch.cat(lent(net, forward)))


def distances(a: Tensor, b: Tensor) -> Tensor:
    """L2 distances between the rows of two sets.

    Args:
        a: (..., n, d).
        b: (..., m, d).

    Returns:
        (..., n, m), in 0..2 for unit embeddings.

    Raises:
        ValueError: for shapes that do not fit.

    >>> distances(torch.eye(2), torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    tensor([[0.0000, 2.0000],
            [1.4142, 1.4142]])
    """
    if min(a.dim(), b.dim()) < 2 or a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-1]:
        raise ValueError(f"expected (n, d) and (m, d), got {tuple(a.shape)} and {tuple(b.shape)}")
    # the default mode loses half of the digits where two embeddings nearly agree
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def pairs(probe: Tensor, gallery: Tensor, mate_index: Tensor) -> tuple[Tensor, Tensor]:
    """Distances of all genuine pairs and of all impostor pairs.

    Args:
        probe: unit embeddings (t, d).
        gallery: unit embeddings (g, d).
        mate_index: int64 (t,), the gallery row of each probe's own subject.

    Returns:
        genuine (t,) and impostor (t · (g − 1),), L2, in 0..2.

    Raises:
        ValueError: for shapes that do not fit, or a mate that is not in the gallery.

    >>> genuine, impostor = pairs(torch.eye(2), torch.eye(2), torch.tensor([0, 1]))
    >>> genuine, impostor
    (tensor([0., 0.]), tensor([1.4142, 1.4142]))
    """
    d = distances(probe, gallery)
    _check_mates(mate_index, *d.shape)
    mate = F.one_hot(mate_index, d.shape[1]).bool()
    return d[mate], d[~mate]


def roc(genuine: Tensor, impostor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """ROC of the rule "accept when the distance is at most the threshold".

    Args:
        genuine: distances of pairs of one subject, (n,).
        impostor: distances of pairs of two subjects, (m,).

    Returns:
        fpr, tpr, threshold: three float64 (k,), all ascending: (0, 0) at threshold −1, where nothing is accepted, then
        one point at each distinct distance.

    Raises:
        ValueError: for a set that is empty or holds NaN.

    >>> fpr, tpr, threshold = roc(torch.tensor([0.5, 1.0]), torch.tensor([1.0, 1.5]))
    >>> fpr.tolist(), tpr.tolist(), threshold.tolist()
    ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0], [-1.0, 0.5, 1.0, 1.5])
    """
    genuine, impostor = _sorted(genuine, "genuine").double(), _sorted(impostor, "impostor").double()
    threshold = torch.cat([genuine.new_tensor([-1.0]), torch.cat([genuine, impostor]).unique()])
    tpr = torch.searchsorted(genuine, threshold, right=True).double() / len(genuine)
    fpr = torch.searchsorted(impostor, threshold, right=True).double() / len(impostor)
    return fpr, tpr, threshold


def threshold_at_fpr(impostor: Tensor, fpr: float) -> float:
    """The largest threshold τ at which at most a given share of the impostor pairs is accepted (distance ≤ τ).

    Args:
        impostor: distances of pairs of two subjects, (m,), in 0..2.
        fpr: the share, in 0..1.

    Returns:
        The largest number below the first impostor distance that would be one too many; 2 where all may be accepted.

    Raises:
        ValueError: for a share out of its range, or a set that is empty or holds NaN.

    >>> impostor = torch.tensor([0.5, 1.0, 1.25, 1.5])
    >>> tau = threshold_at_fpr(impostor, fpr=0.25)
    >>> tau < 1, (impostor <= tau).float().mean().item()
    (True, 0.25)
    """
    if not 0 <= fpr <= 1:
        raise ValueError(f"fpr must lie in 0..1, got {fpr}")
    ascending = _sorted(impostor, "impostor")
    allowed = math.floor(fpr * len(ascending) + 1e-9)  # 0.29 * 100 is 28.999... in floating point
    if allowed >= len(ascending):
        return FARTHEST
    # in the distances' own precision: rounded to it, a number that is nearer would be the distance itself
    return torch.nextafter(ascending[allowed], ascending.new_tensor(-math.inf)).item()


def ranks(probe: Tensor, gallery: Gallery, mate_index: Tensor, *, block: int = 2**22) -> Tensor:
    """Rank of each probe's mate in the gallery; a tie counts against the mate.

    Args:
        probe: unit embeddings (t, d).
        gallery: unit embeddings (g, d), a tensor, or an array such as `gweebp.networks.search.open_gallery` gives.
        mate_index: int64 (t,), the gallery row of each probe's own subject.
        block: numbers in memory at a time, whatever the size of the gallery.

    Returns:
        int64 (t,), 1 is best.

    Raises:
        ValueError: for shapes that do not fit, or a mate that is not in the gallery.

    >>> gallery = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.2], [0.0, 1.0]]))
    >>> ranks(gallery[:2], gallery, torch.tensor([0, 0]))
    tensor([1, 2])
    """
    _check_mates(mate_index, len(probe), len(gallery))
    probe = probe.to(blocks.precision(probe.dtype, gallery))
    mate_index, rows = mate_index.to(probe.device), torch.arange(len(probe), device=probe.device)
    mates = blocks.read(gallery, mate_index.cpu().numpy() if isinstance(gallery, np.ndarray) else mate_index, probe)
    # a pair's distance has the same bits in whatever block it stands, so that ties are seen
    to_mate = distances(probe[:, None], mates[:, None]).flatten()
    squares, rank = probe.square().sum(1, keepdim=True), torch.ones_like(mate_index)
    step = max(1, block // max(*probe.shape, 1))
    for start in range(0, len(gallery), step):
        part = blocks.read(gallery, slice(start, start + step), probe)
        lengths = squares + part.square().sum(1)
        with torch.autocast(part.device.type, enabled=False):
            farther = torch.addmm(lengths, probe, part.T, alpha=-2) - to_mate[:, None].square()
        here = rows[(mate_index >= start) & (mate_index < start + len(part))]
        farther[here, mate_index[here] - start] = torch.inf  # the mate is not nearer than itself
        unsure = lengths.mul_(blocks.margin(part))
        rank += (farther < -unsure).sum(1)
        row, column = (farther.abs() <= unsure).nonzero(as_tuple=True)
        nearer = distances(probe[row][:, None], part[column][:, None]).flatten() <= to_mate[row]
        rank += torch.bincount(row[nearer], minlength=len(rank))
    return rank


def rank_k(rank: Tensor, k: int = 1) -> float:
    """Share of the probes whose mate is among the k nearest of the gallery.

    Args:
        rank: (t,), from `ranks`.
        k: how many of the gallery count.

    Returns:
        In 0..1.

    Raises:
        ValueError: where there are no ranks.

    >>> rank_k(torch.tensor([1, 2, 7, 1]), k=2)
    0.75
    """
    if len(rank) == 0:
        raise ValueError("no ranks: there are no probes")
    return (rank <= k).double().mean().item()


def _check_mates(mate_index: Tensor, probes: int, size: int) -> None:
    """Raise ValueError unless each probe's mate is a row of a gallery of `size`."""
    fits = mate_index.shape == (probes,)
    if not fits or (probes and not 0 <= int(mate_index.min()) <= int(mate_index.max()) < size):
        raise ValueError(f"mate_index must be ({probes},) with values in 0..{size - 1}, got {mate_index}")


def _sorted(values: Tensor, name: str) -> Tensor:
    if values.numel() == 0:
        raise ValueError(f"there are no {name} distances: a ROC needs genuine and impostor pairs")
    if not torch.isfinite(values).all():
        raise ValueError(f"NaN or infinite {name} distances: check the embeddings")
    return values.flatten().sort().values
