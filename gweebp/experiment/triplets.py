"""Triplets of the hiding game: probes that find their mate, each with the wrong face that comes nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gweebp.faces.faceset import FaceSet
from gweebp.networks.verification import distances

__all__ = ["hiding_images", "hiding_triplets"]


def hiding_triplets(probe: Tensor, gallery: Tensor, mate_index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Choose the triplets: probes strictly nearer to their mate than to any other face of the gallery.

    The non-mate is the rank-2 match.

    Args:
        probe: unit embeddings (t, d).
        gallery: unit embeddings (g, d), g >= 2.
        mate_index: int64 (t,), the gallery row of each probe's own subject.

    Returns:
        probe_index, mate_index, nonmate_index: int64 (k,), rows of `probe`, `gallery` and `gallery`.

    Raises:
        ValueError: shapes that do not fit, embeddings that are NaN, or no probe at rank 1.

    Source: gweEBP paper, Sec. 3.1.

    >>> gallery = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    >>> hiding_triplets(gallery[:2], gallery, torch.tensor([0, 2]))
    (tensor([0]), tensor([0]), tensor([1]))
    """
    if mate_index.shape != probe.shape[:1] or len(gallery) < 2:
        raise ValueError(
            f"expected one mate a probe and at least 2 faces in the gallery, got probes {tuple(probe.shape)}, "
            f"gallery {tuple(gallery.shape)}, mate_index {tuple(mate_index.shape)}"
        )
    d = distances(probe, gallery)
    if not torch.isfinite(d).all():
        raise ValueError("NaN or infinite embeddings: check the network's weights and the images")
    rows = torch.arange(len(d), device=d.device)
    mate = d[rows, mate_index]
    others = d.clone()
    others[rows, mate_index] = torch.inf
    nearest = others.min(1)
    probe_index = (mate < nearest.values).nonzero().flatten()
    if len(probe_index) == 0:
        raise ValueError(f"none of {len(d)} probes has its mate at rank 1: train the network longer")
    return probe_index, mate_index[probe_index], nearest.indices[probe_index]


def hiding_images(
    faces: FaceSet, chosen: Mapping[str, Sequence[int] | Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The images of chosen triplets, as `hiding_triplets` chose them from the test sketches and the gallery.

    Args:
        faces: the set that they were chosen from.
        chosen: "probe", rows of the test subjects; "mate" and "nonmate", rows of `faces.gallery()`.

    Returns:
        probe, mate, nonmate: uint8 (k, 3, h, w); the subject of each, int64 (k,), an index into `faces.ids`.

    >>> images = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    >>> faces = FaceSet("demo", tuple("abcd"), images, images, torch.tensor([0, 2, 1, 2]))
    >>> hiding_images(faces, {"probe": [1], "mate": [1], "nonmate": [0]})[3]
    tensor([3])
    """
    probe, mate, nonmate = (torch.as_tensor(chosen[key], dtype=torch.int64) for key in ("probe", "mate", "nonmate"))
    gallery, subject = faces.gallery(), faces.test[probe]
    return faces.sketches[subject], gallery[mate], gallery[nonmate], subject
