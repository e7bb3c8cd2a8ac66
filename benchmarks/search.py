"""Search in a large gallery: exact, from memory and from a file, beside a product of matrices and an index of FAISS.

The gallery is drawn: unit embeddings of people, uniform on the sphere, each probe a mate that was moved to a distance
of about 0.7. Uniform directions are the worst case for an index: real faces lie closer together, and an index finds
groups among them.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.clock import Row, interleaved, ratio, row
from gweebp.experiment.cost import peak_bytes
from gweebp.networks.search import open_gallery, recall, save_gallery, search
from gweebp.networks.verification import distances, unit

LENGTH, PROBES = 128, 16


def people(g: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Probes (PROBES, LENGTH), of which number i shows the face i, and a gallery (g, LENGTH); unit embeddings."""
    generator = torch.Generator().manual_seed(seed)
    gallery = unit(torch.randn(g, LENGTH, generator=generator))
    noise = unit(torch.randn(PROBES, LENGTH, generator=generator))
    return unit(gallery[:PROBES] + 0.85 * noise), gallery


def indexed(gallery: Tensor, lists: int, probed: int) -> Any:
    """An index of FAISS that looks into some of its lists; ModuleNotFoundError without FAISS."""
    import faiss

    index = faiss.index_factory(LENGTH, f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(gallery[: 64 * lists].numpy())
    index.add(gallery.numpy())
    index.nprobe = probed
    return index


def rows(rounds: int, g: int = 1_000_000) -> Iterator[Row]:
    """A gallery of g in memory, one of 10 g in a file, and the index."""
    probe, gallery = people(g)
    topic = f"search, {PROBES} probes among {g:,} faces"
    calls: dict[str, Callable[[], Any]] = {"product": lambda: probe @ gallery.T}
    calls |= {"exact": partial(search, probe, gallery), "all distances": lambda: distances(probe, gallery).min(1)}
    seconds = interleaved(calls, rounds)
    yield row(topic, "exact", "time ÷ bare product of matrices", ratio(seconds, "exact", "product"), 3)
    yield row(topic, "exact", "time ÷ all distances", ratio(seconds, "exact", "all distances"), 1)
    yield row(topic, "exact", "memory ÷ that of the gallery", peak_bytes(calls["exact"]) / (4 * gallery.numel()), 0.1)
    yield from by_index(topic, probe, gallery, seconds["exact"], rounds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.npy"
        save_gallery(path, (people(g, seed=seed)[1] for seed in range(10)))
        kept = open_gallery(path)
        call = partial(search, probe, kept)
        found = statistics.median(interleaved({"file": call}, rounds)["file"])
        topic = f"search, {PROBES} probes among {len(kept):,} faces in a file of {path.stat().st_size / 1e9:.1f} GB"
        yield row(topic, "exact", "seconds", found)
        yield row(topic, "exact", "memory, GB", peak_bytes(call) / 1e9, 0.5)


def by_index(topic: str, probe: Tensor, gallery: Tensor, exact: list[float], rounds: int) -> Iterator[Row]:
    """Recall and time of an index, for more and more lists that are looked into."""
    lists = 1 << round(len(gallery) ** 0.5).bit_length()
    for probed in (8, 64, 256):
        name = f"FAISS, {probed} of {lists} lists"
        try:
            index = indexed(gallery, lists, min(probed, lists))
        except ModuleNotFoundError:
            yield row(topic, f"{name} (not installed)", "recall of the nearest", float("nan"))
            return
        nobody = torch.zeros(len(probe), len(gallery), dtype=torch.bool)
        mates = nobody.clone()
        mates[range(PROBES), range(PROBES)] = True
        seconds = interleaved({"index": partial(search, probe, gallery, index=index)}, rounds)["index"]
        yield row(topic, name, "recall of the mate", recall(probe, gallery, index))
        yield row(topic, name, "recall of the nearest impostor", recall(probe, gallery, index, own=mates))
        yield row(topic, name, "time ÷ exact", statistics.median(seconds) / statistics.median(exact))
