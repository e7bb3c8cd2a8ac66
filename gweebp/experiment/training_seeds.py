"""The same network trained again with other seeds: does a finding hang on one training?

A build may hold further trainings of a network, named `<network>-seed<k>`; faces and trials' rules are the same, the
weights' start and the batches are not. The figure of a method is then the mean over trainings, and its uncertainty has
two levels: which people were tested, and which trainings were made. A resample draws people, the same in all
trainings, and k − 1 of the k trainings, with replacement: k − 1, because k would make the spread too small by
(k − 1)/k (McCarthy and Snowden, "The Bootstrap and Finite Population Sampling", 1985).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from gweebp.experiment.build import Run
from gweebp.experiment.scores import Drawn, find
from gweebp.games.bootstrap import Estimate

__all__ = ["by_training", "name_of", "pooled", "pooled_draws", "pooled_estimates", "trainings"]


def name_of(network: str, replicate: int) -> str:
    """Name of a further training of a network; replicate 0 is the network itself.

    >>> name_of("lcnn9", 0), name_of("lcnn9", 2)
    ('lcnn9', 'lcnn9-seed2')
    """
    return f"{network}-seed{replicate}" if replicate else network


@cache  # one object a run: what it has read serves everyone
def trainings(run: Run, seeds: int) -> tuple[Run, ...]:
    """The run and its further trainings, `seeds` in all; fewer where the build was told to make fewer of this run."""
    further = [Run(run.build, run.dataset, name_of(run.network, k)) for k in range(1, seeds)]
    return (run, *(r for r in further if r.trials_file.is_file()))


def pooled(found: Sequence[Drawn], seed: int = 0) -> Drawn:
    """The mean over trainings and its two-level resamples.

    found: of each training, its value and draws (resamples,), of the same people in the same rows. seed: of the draw
    of trainings; two methods pooled with one seed are paired.

    >>> pooled([Drawn(0.2, np.full(4, 0.2)), Drawn(0.4, np.full(4, 0.4))]).value.__round__(6)
    0.3
    """
    if len(found) == 1:
        return found[0]
    k, draws = len(found), np.stack([d.draws for d in found], 1)
    draws = np.where(np.isnan(draws), [d.value for d in found], draws)  # nobody of a training drawn: its own value
    times = np.random.default_rng((seed, k)).multinomial(k - 1, np.full(k, 1 / k), size=len(draws))
    return Drawn(float(np.mean([d.value for d in found])), (times * draws).sum(1) / (k - 1))


def pooled_draws(runs: Sequence[Run], measure: str, method: str, *, resamples: int = 2000, seed: int = 0) -> Drawn:
    """A measure of one method, pooled over trainings that all played it; see `scores.MEASURES`."""
    m = find(measure)
    people = [r.games.hiding_subject if m.game == "hiding" else r.games.inpainting_subject for r in runs]
    among = np.unique(np.concatenate(people))
    return pooled([m.draw(r.games, method, resamples=resamples, seed=seed, among=among) for r in runs], seed)


def by_training(
    runs: Iterable[Run], seeds: int, measure: str, only: Iterable[str] | None = None
) -> dict[str, dict[str, list[float]]]:
    """Title → method → its value in each training; methods that only some trainings played are left out."""
    m = find(measure)
    values = {}
    for run in runs:
        own = trainings(run, seeds)
        shared = [name for name in m.methods(run.games) if all(name in m.methods(r.games) for r in own)]
        wanted = shared if only is None else [name for name in shared if name in set(only)]
        values[run.title] = {name: [m.value(r.games, name) for r in own] for name in wanted}
    return {title: row for title, row in values.items() if row}


def pooled_estimates(
    runs: Iterable[Run], seeds: int, measure: str, *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, dict[str, Estimate]]:
    """Title → method → mean over trainings with its two-level interval, for the methods that all trainings played."""
    tails = [(1 - level) / 2, (1 + level) / 2]
    found: dict[str, dict[str, Estimate]] = {}
    for run in runs:
        for name in by_training([run], seeds, measure).get(run.title, {}):
            one = pooled_draws(trainings(run, seeds), measure, name, resamples=resamples, seed=seed)
            low, high = np.quantile(one.draws, tails)
            found.setdefault(run.title, {})[name] = Estimate(one.value, float(low), float(high))
    return found
