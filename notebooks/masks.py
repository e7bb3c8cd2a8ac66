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
# # How many masks?
#
# Black-box methods buy their maps with forward passes. What do more of them buy?
#
# CorrRISE {cite:p}`lu2024corrrise` correlates random masks with similarities, at its authors' setting 5000 of them for each
# probe. Its map is an estimate, and its error falls with the number of masks. The default profile of this book
# uses few, so that a laptop can play the games for every method; this page shows what that costs, on quadruplets of the
# inpainting game whose true region is known. A smaller number of masks is always the
# start of a larger one, so each line follows one growing experiment.

# %% tags=["parameters"]
build = "_build/book"  # the folder of the results
networks = "vgg16,lcnn9"  # the networks to show, separated by commas
datasets = (
    "synthetic-composite,synthetic-drawn"  # the datasets to show, separated by commas
)
samples = 6  # quadruplets of each run
masks = "25,50,100,200"  # numbers of masks, ascending, separated by commas
resamples = 2000  # bootstrap resamples behind each interval
seed = 0  # of the masks
# %% tags=["hide-input"]
import numpy as np
import torch
from IPython.display import Markdown
from myst_nb import glue

import gweebp
from gweebp import figures
from gweebp.experiment import sanity_checks
from gweebp.experiment.build import open_runs
from gweebp.games import truth
from gweebp.games.bootstrap import Curve
from gweebp.networks import as_input

# %% [markdown]
# ## By hand
#
# Two masks of two pixels, one of which covers the second pixel; the similarity falls with it. The correlation of the second
# pixel with the similarity is 1, the first pixel never changes:

# %%
both = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
similarity = torch.tensor([0.9, 0.4])
print(
    f"second pixel: {torch.corrcoef(torch.stack([both[:, 1], similarity]))[0, 1]:.2f}"
)

# %% [markdown]
# ## On the quadruplets

# %% tags=["hide-input"]
runs = [run for run in open_runs(build, datasets, networks) if run.games.inpainting]
numbers = [int(n) for n in masks.split(",")]
precision, alike, level = {}, {}, {}
for run in runs:
    count = min(samples, len(run.qualified))
    four = run.qualified.select(torch.arange(count))
    images = [as_input(run.net, x) for x in (four.op, four.om, four.in_)]
    maps = [
        gweebp.explain(run.net, *images, method="corrrise", masks=n, seed=seed)
        for n in numbers
    ]
    scores = [
        truth.mean(truth.score(m, four.region)["precision"], resamples=resamples)
        for m in maps
    ]
    precision[run.title] = {"corrrise": Curve(np.array(numbers), *np.array(scores).T)}
    found = torch.stack([sanity_checks.similarity(m, maps[-1]) for m in maps[:-1]])
    alike[run.title] = {
        "corrrise": sanity_checks.mean(
            found, torch.arange(count), resamples=resamples
        )._replace(x=np.array(numbers[:-1]))
    }
    white = gweebp.explain(run.net, *images, method="gweebp")
    level[run.title] = {
        "gweebp": truth.score(white, four.region)["precision"].mean().item(),
        "random": truth.chance(four.region).mean().item(),
    }

# %% tags=["remove-output", "hide-input"]
nothing = figures.note("no quadruplets in this profile")
axis = dict(xlabel="masks (forward passes of the probe)", columns=2)
glue(
    "fig-masks-truth",
    figures.budget(precision, ylabel="average precision", levels=level, **axis)
    if runs
    else nothing,
)
glue(
    "fig-masks-alike",
    figures.budget(alike, ylabel="similarity", **axis) if runs else nothing,
)

# %% [markdown]
# ```{glue:figure} fig-masks-truth
# :name: fig-masks-truth
# :alt: One panel for each network and dataset. The average precision of CorrRISE against the number of masks on a logarithmic axis, with a band, and level lines for gweEBP and for chance.
#
# Average precision of CorrRISE's maps against the swapped region, by the number of masks, with 95 % intervals over the
# quadruplets. The level lines are gweEBP, which needs no masks, on the same quadruplets, and chance.
# ```
#
# ```{glue:figure} fig-masks-alike
# :name: fig-masks-alike
# :alt: One panel for each network and dataset. The rank correlation of CorrRISE's maps with those of the largest number of masks rises with the number of masks.
#
# Rank correlation of the maps with those of the largest number of masks.
# ```
#
# ## What the numbers say

# %% tags=["hide-input"]
lines = [
    f"- {title}: from {numbers[0]} to {numbers[-1]} masks the average precision goes from "
    f"{row['corrrise'].value[0]:.2f} to {row['corrrise'].value[-1]:.2f}; half of the largest number gives maps whose "
    f"rank correlation with the largest's is {alike[title]['corrrise'].value[-1]:.2f}."
    for title, row in precision.items()
]
Markdown("\n".join(lines) or "No quadruplets were played in this profile.")

# %% [markdown]
# ## What would falsify it
#
# *That few masks judge CorrRISE fairly*: a precision that still rises at the right end of the first figure. Then its rank in
# the default profile is too low, and only the `paper` profile, at 5000 masks, can tell.
