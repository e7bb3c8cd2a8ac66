"""How many masks CorrRISE's map needs, by estimate: `python -m benchmarks.masks [--keep]`.

The reference of a probe is the plain estimate from 20,000 masks of a seed of their own. An estimate from n masks is
judged by its rank correlation (Spearman) with it, signed maps whole. Probes are people of the study who play no game;
networks are the study's first trainings. Beside the plain and the controlled estimate stand two ways to draw masks that
would be cheaper if they helped: antithetic (each mask has a partner, whose hidden cells are among those that it keeps)
and stratified (of ten masks in a row each cell is hidden in one).

`--keep` writes benchmarks/masks.json, which the book's chapter on masks draws.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gweebp import networks
from gweebp.commands.arguments import Number
from gweebp.experiment.sanity_checks import similarity
from gweebp.experiment.study.people import ASIDE, people
from gweebp.faces.synthetic.world import World
from gweebp.methods.control import controlled, mask_spread
from gweebp.methods.corrrise import correlated, random_masks, similarities, upsample
from gweebp.methods.masking import fill_value
from gweebp.methods.stopping import enough
from gweebp.networks import as_input, verification
from gweebp.support.files import write_json
from gweebp.support.ranges import THREADS, whole
from gweebp.support.record import environment

CHECKPOINTS = Path("data/checkpoints/study")
RUNS = {"lcnn9": ("composite", 0.4), "vgg16": ("drawn", 0.1)}  # network -> kind of sketch and its error, as in the plan
CELLS, KEEP, BATCH = 12, 0.9, 64  # the authors' own; masks per pass
LIMIT = 20_000
COUNTS = (250, 500, 1000, 2000, 4000)
TOLERANCE = 0.14

Draw = Callable[[], Iterator[Tensor]]


def drawn(way: str, count: int, size: tuple[int, int], seed: int) -> Iterator[Tensor]:
    """Masks as the module says, in chunks (k, h, w).

    Args:
        way: "random", "antithetic" or "stratified".
        count: how many. size: (h, w). seed: of the masks.
    """
    if way == "random":
        yield from random_masks(count, CELLS, KEEP, size, seed, BATCH)
        return
    generator = torch.Generator().manual_seed(seed)
    if way == "antithetic":
        u = torch.rand(count // 2, CELLS, CELLS, generator=generator)
        grids = torch.stack([u < KEEP, 1 - u < KEEP], 1).flatten(0, 1).float()
    else:
        stratum = round(1 / (1 - KEEP))
        order = torch.rand(-(-count // stratum), stratum, CELLS, CELLS, generator=generator).argsort(1)
        grids = (order > 0).float().flatten(0, 1)[:count]
    cell = torch.tensor([-(-pixels // CELLS) for pixels in size])
    shifts = (torch.rand(len(grids), 2, generator=generator) * cell).floor()
    for g, s in zip(grids.split(BATCH), shifts.split(BATCH)):
        yield upsample(g, s, size)


def trials(net: networks.EmbeddingNetwork, kind: str, error: float, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Probe (1, c, h, w) and the embeddings of mate and nearest other (1, 2, d), of `count` people."""
    faces = people(World(kind, 160, 0, error), 4 * count, 0, first=ASIDE)
    probe, gallery = (verification.embed(net, x) for x in (faces.sketches, faces.photos))
    distance = verification.distances(probe, gallery)
    distance.fill_diagonal_(torch.inf)
    for i in range(count):
        yield as_input(net, faces.sketches[i : i + 1]), gallery[[i, int(distance[i].argmin())]][None]


def contrast(maps: Tensor) -> Tensor:
    """Of the mate less of the non-mate: (1, 2, h, w) to (1, h, w)."""
    return maps[:, 0] - maps[:, 1]


def one(net: networks.EmbeddingNetwork, probe: Tensor, others: Tensor, seed: int) -> dict[str, Any]:
    """Everything that is measured of one probe: estimate -> its rank correlations, and what a tolerance costs."""
    size, fill = (probe.shape[2], probe.shape[3]), fill_value(net, probe, 0.0)
    score = partial(similarities, net, probe, others, fill=fill)

    def scored(draw: Draw) -> Tensor:
        return torch.cat([score(m) for m in draw()], 2)

    limit = partial(drawn, "random", LIMIT, size, 10_000 + seed)
    scores = scored(limit)
    wanted = contrast(correlated(scores, limit).maps)
    half = LIMIT // BATCH // 2 * BATCH  # whole passes, to see how sure the reference is
    first = contrast(correlated(scores[..., :half], partial(first_of, limit, half)).maps)
    found: dict[str, Any] = {"halves": similarity(first, 2 * wanted - first).item()}  # of like sizes: the other half
    for way in ("random", "antithetic", "stratified"):
        counts = COUNTS if way == "random" else COUNTS[:-1]
        spent = scored(partial(drawn, way, max(counts), size, seed))
        for n in counts:
            draw = partial(first_of, partial(drawn, way, max(counts), size, seed), n)
            names = {"random": ("plain", "controlled")}.get(way, (way, f"{way}, controlled"))
            maps = (
                correlated(spent[..., :n], draw).maps,
                controlled(spent[..., :n], draw, size, CELLS, KEEP).maps,
            )
            for name, x in zip(names, maps):
                found.setdefault(name, []).append(similarity(wanted, contrast(x)).item())
        if way == "random":
            found["tolerance"] = stopped(score, size, seed, wanted)
    return found


def first_of(draw: Draw, n: int) -> Iterator[Tensor]:
    """The first n masks."""
    for chunk in draw():
        if n <= 0:
            return
        yield chunk[:n]
        n -= len(chunk)


def stopped(score: Callable[[Tensor], Tensor], size: tuple[int, int], seed: int, wanted: Tensor) -> dict[str, Any]:
    """What tolerance=0.14 costs by each estimate, and what it comes to."""
    spread = mask_spread(size, CELLS, KEEP)
    estimates = {
        "plain": correlated,
        "controlled": lambda s, draw: controlled(s, draw, size, CELLS, KEEP),
    }
    found = {}
    for name, estimate in estimates.items():
        done = enough(
            score,
            lambda a, b: random_masks(b, CELLS, KEEP, size, seed, BATCH, first=a),
            estimate,
            LIMIT,
            TOLERANCE,
            KEEP,
            spread,
        )
        pearson = torch.corrcoef(torch.stack([wanted.flatten(), done.map.flatten()]))[0, 1].item()
        spearman = similarity(wanted, done.map[None]).item()
        found[name] = {"masks": done.masks, "error": done.error, "pearson": pearson, "spearman": spearman}
    return found


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probes", type=Number(whole(2, 1000)), default=4, help="per network (default: 4)")
    parser.add_argument("--threads", type=Number(THREADS), default=1)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/masks.json, too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    started = time.perf_counter()
    measured: dict[str, Any] = {}
    for name, (kind, error) in RUNS.items():
        net = networks.load(CHECKPOINTS / f"synthetic-{kind}/{name}-0.safetensors")
        rows = []
        measured[name] = {"dataset": f"synthetic-{kind}", "probes": rows}
        for i, (probe, others) in enumerate(trials(net, kind, error, options.probes)):
            rows.append(one(net, probe, others, i))
            gone = time.perf_counter() - started
            print(f"{name}: probe {i + 1} of {options.probes}, {gone:.0f} s  {rows[-1]}", flush=True)
        result = {"counts": COUNTS, "limit": LIMIT, "tolerance": TOLERANCE, "cells": CELLS, "keep": KEEP}
        result |= {"networks": measured, "record": environment(started=started)}
        for path in [Path("_build/bench/masks.json"), *([Path("benchmarks/masks.json")] if options.keep else [])]:
            write_json(path, result)
            print(f"written: {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
