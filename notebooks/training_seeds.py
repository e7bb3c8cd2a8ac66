# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Another training, another winner?
#
# ```{admonition} What you will learn
# - why one training is one draw, and what a second training can tell;
# - how to give a mean over trainings an interval that covers both people and trainings;
# - which methods win in every training of this build.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
build = "_build/book"  # the folder of the results
networks = "vgg16,lcnn9"  # the networks to show, separated by commas
datasets = (
    "synthetic-composite,synthetic-drawn"  # the datasets to show, separated by commas
)
measure = (
    "inpainting-10"  # of the inpainting game; see gweebp.experiment.scores.MEASURES
)
seeds = 1  # trainings of a network, at most
reference = "gweebp"  # the method that the others are compared with
resamples = 2000  # bootstrap resamples behind each interval
seed = 0  # of the bootstrap

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from IPython.display import Markdown
from myst_nb import glue

from gweebp import figures
from gweebp.experiment import (
    network_quality,
    sanity_checks,
    scores,
    training_seeds,
    typical_cases,
)
from gweebp.experiment.build import open_runs
from gweebp.experiment.scores import Drawn
from gweebp.experiment.tables import captioned
from gweebp.figures import style_of
from gweebp.networks import as_input
from gweebp.saliency import in_place

# %% tags=["hide-input", "remove-output"]
runs = open_runs(build, datasets, networks)
again = max((training_seeds.trainings(run, seeds) for run in runs), key=len)
row = typical_cases.index(again[0], "inpainting", reference, typical_cases.TYPICAL)
picture, alike = figures.note("no quadruplets in this profile"), None
if len(again[0].qualified):
    four = again[0].quadruplet(row)
    maps = []
    for run in again:
        op, om, in_ = (as_input(run.net, x) for x in (four.op, four.om, four.in_))
        found = sanity_checks.explain_choice(run.net, op, om, in_, method=reference)
        maps.append(in_place(found, run.net, op, method=reference))
    titles = ["OP", "IP", *(f"training {k}" for k in range(len(again)))]
    pictures = [four.op[0], four.ip[0], *[four.op[0]] * len(again)]
    outlines = [None, *[four.region[0]] * (1 + len(again))]
    shown = [None, None, *(x[0] for x in maps)]
    picture = figures.image_grid(pictures, titles, maps=shown, regions=outlines)
    alike = sanity_checks.similarity(maps[0], maps[-1]).item()
glue("fig-face", picture)

# %% [markdown]
# ```{glue:figure} fig-face
# :name: fig-seeds-face
# :alt: A sketch, the same with one part exchanged and outlined, and the sketch under the map of the same method on each training of the same network.
#
# One sketch, one method, and the trainings of one network that differ in their seed alone.
# ```

# %% tags=["hide-input"]
Markdown(
    f"On {again[0].title} the rank correlation of {style_of(reference).label}'s maps of the first and "
    f"the last of {len(again)} trainings is {alike:.2f} on this face."
    if alike is not None and len(again) > 1
    else "*Every network of this build was trained once.*"
)

# %% [markdown]
# A network is one draw: another seed starts from other weights and sees other batches. Would the same methods win if it were trained
# again?
#
# Networks are trained with several seeds on the same faces, as many as the profile pays for. Everything after that is done again: the threshold, the trials
# that qualify, the maps and the games. With $x_k$ a method's figure on training $k$ of $K$, the figure of the method is the mean, and
# its uncertainty has two sources, the people in the test and the trainings,
#
# ```{math}
# :label: eq-two-levels
# \bar x = \frac1K \sum_{k=1}^{K} x_k, \qquad
# \operatorname{Var}(\bar x) \approx \operatorname{Var}_{\text{people}}(\bar x) + \frac{1}{K (K-1)} \sum_{k=1}^{K} (x_k - \bar x)^2 .
# ```
#
# Each resample draws people (the same for all trainings) and $K - 1$ trainings with replacement; drawing $K$ would understate the
# second term.
#
# ## By hand: three trainings
#
# If every person in the world were tested, only the trainings would differ, and {eq}`eq-two-levels` would have its second term alone:

# %%
x = np.array([0.60, 0.66, 0.75])
by_hand = x.std(ddof=1) / np.sqrt(len(x))
drawn = training_seeds.pooled([Drawn(value, np.full(20_000, value)) for value in x])
assert abs(drawn.draws.std() - by_hand) < 0.03 * by_hand
errors = f"by hand {by_hand:.4f}, of the resamples {drawn.draws.std():.4f}"
print(f"mean {drawn.value:.3f}, standard error {errors}")

# %% [markdown]
# ## The trainings

# %%
count = {run.title: len(training_seeds.trainings(run, seeds)) for run in runs}
rows = {
    f"{run.title}, training {k}": {
        "rank-1": scores.with_interval(
            network_quality.identification_rates(again)[1], 2
        ),
        "τ": f"{again.trials['threshold']:.3f}",
        "triplets": str(len(again.trials["hiding"]["probe"])),
        "quadruplets": str(len(again.trials["inpainting"]["qualified"])),
    }
    for run in runs
    for k, again in enumerate(training_seeds.trainings(run, seeds))
}
captioned(
    pd.DataFrame(rows).T,
    "Trainings of each network, and their trials.",
)

# %% [markdown]
# ## The games

# %% tags=["remove-output", "hide-input"]
options = {"resamples": resamples, "seed": seed}
NONE = "The inpainting game was not played on this dataset: its people have no doppelgängers."
found, single = {}, {}
for game, name in (("hiding", "hiding"), ("inpainting", measure)):
    found[game] = training_seeds.pooled_estimates(runs, seeds, name, **options)
    single[game] = training_seeds.by_training(runs, seeds, name)
    label = scores.MEASURES[name].label.partition(": ")[2]
    drawn = (
        figures.forest(found[game], xlabel=label, dots=single[game])
        if found[game]
        else figures.note(NONE)
    )
    glue(f"fig-seeds-{game}", drawn)

# %% [markdown]
# ```{glue:figure} fig-seeds-hiding
# :name: fig-seeds-hiding
# :alt: One panel for each network and dataset; a point with a bar for each method, its mean area in the hiding game over the trainings, and a small tick for each training.
#
# Hiding game: the mean over the trainings, with 95 % intervals over people and trainings; ticks: single trainings.
# ```
#
# ```{glue:figure} fig-seeds-inpainting
# :name: fig-seeds-inpainting
# :alt: One panel for each network and dataset; a point with a bar for each method, its mean figure in the inpainting game over the trainings, and a small tick for each training.
#
# Inpainting game: the mean over the trainings, with 95 % intervals over people and trainings; ticks: single trainings.
# ```
#
# ## What the numbers say

# %% tags=["hide-input"]
lines = []
for game, panels in single.items():
    for title, methods in panels.items():
        if count[title] == 1:
            continue
        ahead = {
            m: [a > b for a, b in zip(methods[reference], x)]
            for m, x in methods.items()
            if m != reference
        }
        always = [style_of(m).label for m, wins in ahead.items() if all(wins)]
        never = [style_of(m).label for m, wins in ahead.items() if not any(wins)]
        mixed = [
            style_of(m).label
            for m, wins in ahead.items()
            if any(wins) and not all(wins)
        ]
        lines.append(
            f"- {game} game, {title}: {style_of(reference).label} is ahead in every one of {count[title]} trainings of "
            f"{', '.join(always) or 'none'}; in none of {', '.join(never) or 'none'}; in some of {', '.join(mixed) or 'none'}."
        )
once = [title for title, trainings in count.items() if trainings == 1]
if once:
    lines.append(
        f"- Trained once in this build, so nothing can be said about the trainings' share: {'; '.join(once)}."
    )
Markdown("\n".join(lines))

# %% [markdown]
# How much of the uncertainty is the trainings'? The spread of the trainings, as a standard error of their mean, beside the
# standard error of the mean over both levels (a quarter of the interval's width), averaged over the methods:

# %% tags=["hide-input"]
rows = {
    f"{game}, {title}": {
        "trainings": f"{np.mean([np.std(x, ddof=1) / np.sqrt(len(x)) for x in single[game][title].values()]):.3f}",
        "people and trainings": f"{np.mean([(e.high - e.low) / 4 for e in methods.values()]):.3f}",
    }
    for game, panels in found.items()
    for title, methods in panels.items()
    if count[title] > 1
}
captioned(
    pd.DataFrame(rows).T,
    "Standard errors: over trainings, and over people and trainings.",
) if rows else Markdown("*Every network of this build was trained once.*")

# %% [markdown]
# ## What would falsify it
#
# A method that wins *resolved* on one training and loses *resolved* on the next: then the intervals over people alone, which the
# other chapters show, promise more than they can keep. The claims in the [results](results) are judged on the mean over the
# trainings.
#
# ## Summary
#
# - A training is one draw of weights and batches. Another seed is another draw.
# - The interval of a mean over trainings has two parts: the people in the test, and the trainings.
# - A finding that turns round with the seed is not a finding.
#
# ## Exercises
#
# **1.** Two trainings give 0.60 and 0.70. What is the standard error of their mean, from the trainings alone?

# %% tags=["hide-cell"]
# Answer: 0.05: half of their difference.
pair = np.array([0.60, 0.70])
error = pair.std(ddof=1) / np.sqrt(2)
assert np.isclose(error, 0.05)
print(f"{error:.3f}")

# %% [markdown]
# **2.** Why does a resample draw $K - 1$ trainings, and not $K$? Try $K$ on the three trainings above.

# %% tags=["hide-cell"]
# Answer: with K the spread comes out too small, by the factor √((K − 1)/K).
draws = np.random.default_rng(0).choice(x, size=(20_000, len(x))).mean(1)
assert np.isclose(draws.std() / by_hand, np.sqrt(2 / 3), atol=0.02)
print(f"ratio {draws.std() / by_hand:.2f}, √(2/3) = {np.sqrt(2 / 3):.2f}")
