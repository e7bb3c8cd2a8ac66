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
# ```{admonition} What you will learn
# - why the map of a black-box method is an estimate, and what its masks cost;
# - how its precision and its stability grow with the number of masks;
# - whether the default profile of this book, which uses few, is fair to CorrRISE.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

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
from gweebp.experiment import mask_counts, sanity_checks
from gweebp.experiment.build import open_runs
from gweebp.games import truth
from gweebp.games.bootstrap import Curve
from gweebp.networks import as_input

# %% tags=["hide-input", "remove-output"]
runs = [run for run in open_runs(build, datasets, networks) if run.games.inpainting]
numbers = [int(n) for n in masks.split(",")]
precision, alike, level, faces = {}, {}, {}, {}
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
    faces[run.title] = (four.op[0], four.ip[0], four.region[0], maps, white)
    level[run.title] = {
        "gweebp": truth.score(white, four.region)["precision"].mean().item(),
        "random": truth.chance(four.region).mean().item(),
    }
picture = figures.note("no quadruplets in this profile")
if runs:
    op, ip, region, maps, white = faces[runs[0].title]
    shown = [None, None, *(m[0] for m in maps), white[0]]
    titles = ["OP", "IP", *(f"{n} masks" for n in numbers), "gweEBP"]
    outlines = [None, *[region] * (len(shown) - 1)]
    pictures = [op, ip, *[op] * (len(shown) - 2)]
    picture = figures.image_grid(pictures, titles, maps=shown, regions=outlines)
glue("fig-face", picture)

# %% [markdown]
# ```{glue:figure} fig-face
# :name: fig-masks-face
# :alt: A sketch, and the same with one part exchanged and outlined; then the sketch under CorrRISE's maps by more and more masks, and under gweEBP's.
#
# The first quadruplet of the first network: CorrRISE's map by more and more masks, and gweEBP's, which needs none.
# ```

# %% tags=["hide-input"]
lines = [
    f"- {title}: from {numbers[0]} to {numbers[-1]} masks the average precision goes from "
    f"{row['corrrise'].value[0]:.2f} to {row['corrrise'].value[-1]:.2f}, of which the last doubling adds "
    f"{row['corrrise'].value[-1] - row['corrrise'].value[-2]:+.2f}; gweEBP has {level[title]['gweebp']:.2f}, chance is "
    f"{level[title]['random']:.2f}."
    for title, row in precision.items()
]
Markdown("\n".join(lines) or "No quadruplets were played in this profile.")

# %% [markdown]
# A black-box method pays for its map with forward passes. What do more of them bring?
#
# CorrRISE {cite:p}`lu2024corrrise` correlates random masks with similarities, at its authors' setting 5000 of them for each
# probe. Its map is an estimate, and its error falls with the number of masks. The default profile of this book
# uses few, so that a laptop can play the games for every method; this page shows what that costs, on quadruplets of the
# inpainting game whose true region is known. A smaller number of masks is always the
# start of a larger one, so each line follows one growing experiment.
#
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
    f"- {title}: half of the largest number of masks gives maps whose rank correlation with the "
    f"largest's is {row['corrrise'].value[-1]:.2f}."
    for title, row in alike.items()
]
Markdown("\n".join(lines) or "No quadruplets were played in this profile.")

# %% [markdown]
# ## Fewer passes for the same map
#
# Nearly all of the cost is the network's, so fewer masks are the only way. The noise of the plain estimate comes from the masks of
# *other* pixels, which by chance go with a pixel's own. How the masks $M$ of two pixels go together is known exactly: the cells
# of the coarse grid are drawn independently. So fit the similarity by a linear model of the mask, $s \approx a + \beta^\top f$
# with $f$ the mask averaged over a grid, and split
#
# $$\operatorname{cov}(M, s) = \operatorname{cov}(M, f)\,\beta + \operatorname{cov}(M, s - \beta^\top f).$$
#
# The first term needs no samples; only the second, of what the model leaves, is estimated from the masks. This is
# `estimate="controlled"`. In the limit of many masks its map is the plain one's. Two other ways to draw masks were tried:
# *antithetic* ones (each mask has a partner that keeps what it hides) and *stratified* ones (of ten masks in a row, each cell
# is hidden in one).
#
# The reference is the plain map of very many masks, of seeds of their own, for people who play no game
# (`python -m benchmarks.masks`; figures, date and commit are kept in `benchmarks/masks.json`).

# %% tags=["remove-output", "hide-input"]
kept = mask_counts.measured()
names = ("plain", "controlled", "antithetic", "stratified")
own, seen = figures.style_of("corrrise"), figures.MethodStyle
styles = {
    "plain": seen("plain", own.color, own.line, own.marker),
    "controlled": seen("controlled", own.color, "-", "o", 2.6),
    "antithetic": seen("antithetic", "#7A8B00", ":", "^"),
    "stratified": seen("stratified", "#8C564B", "-.", "v"),
    "goal": seen("goal: 0.99", "#66727F", ":"),
}
spent = {
    f"{name.upper()}, {row['dataset'].removeprefix('synthetic-')}": (
        row["probes"],
        mask_counts.curves(row["probes"], kept["counts"], names),
    )
    for name, row in kept["networks"].items()
}
glue(
    "fig-masks-fewer",
    figures.budget(
        {title: lines for title, (_, lines) in spent.items()},
        xlabel="masks (forward passes of the probe)",
        ylabel="rank correlation",
        levels={title: {"goal": 0.99} for title in spent},
        styles=styles,
    ),
)

# %% [markdown]
# ```{glue:figure} fig-masks-fewer
# :name: fig-masks-fewer
# :alt: One panel for each network. The rank correlation of the map with the reference against the number of masks; the line of the controlled estimate lies above the others, which lie close together.
#
# Rank correlation (Spearman, signed maps whole) with the map of 20,000 masks, by the number of masks and by estimate; means
# over probes with Student's 95 % intervals.
# ```

# %% tags=["hide-input"]
lines = []
for title, (probes, curve) in spent.items():
    reached = curve["plain"].value[-1]
    few = mask_counts.needed(curve["controlled"], reached)
    halves = np.mean([p["halves"] for p in probes])
    stops = {
        name: [
            np.mean([p["tolerance"][name][key] for p in probes])
            for key in ("masks", "spearman")
        ]
        for name in ("plain", "controlled")
    }
    lines += [
        f"- {title}, {len(probes)} probes: with {kept['counts'][-1]} masks the plain map comes to a correlation of "
        f"{reached:.3f}; the controlled one comes to it with {few:.0f}, {few / kept['counts'][-1]:.0%} of the passes, and "
        f"with {kept['counts'][-1]} to {curve['controlled'].value[-1]:.3f}. With {kept['counts'][-2]} masks antithetic ones "
        f"come to {curve['antithetic'].value[-1]:.3f}, stratified ones to {curve['stratified'].value[-1]:.3f}, random ones to "
        f"{curve['plain'].value[-2]:.3f}. The reference is an estimate, too: its two halves have a correlation of "
        f"{halves:.3f}, so itself one of about {np.sqrt(2 * halves / (1 + halves)):.3f} with the map of infinitely many masks.",
        f"- With `tolerance={kept['tolerance']}` the plain estimate stops after {stops['plain'][0]:.0f} masks on the average, at "
        f"{stops['plain'][1]:.3f}; the controlled one after {stops['controlled'][0]:.0f}, at {stops['controlled'][1]:.3f}.",
    ]
Markdown("\n".join(lines))

# %% [markdown]
# So the number of masks need not be chosen: `tolerance` is the standard error of the map as a share of what the map varies by,
# measured on the masks themselves ({mod}`gweebp.methods.stopping`), and each probe stops by itself. An error $t$ means a
# correlation of about $1/\sqrt{1+t^2}$ with the limit. The games of this book play the plain estimate, which is the authors'.

# %%
torch.manual_seed(0)
small = torch.nn.Sequential(
    torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten()
)
three = torch.rand(3, 1, 1, 12, 12)
stopped = gweebp.explain(
    small, *three, method="corrrise", cells=4, estimate="controlled", tolerance=0.2
)
print(tuple(stopped.shape))

# %% [markdown]
# ## What would falsify it
#
# *That few masks judge CorrRISE fairly*: a precision that still rises with the last doubling. The list below the first picture says
# where it does; there, its rank in the default profile is too low. The verdicts on the paper's claims do not rest on few masks: the
# [study](study) gives each black-box method as many as its maps need to settle, by a rule that looks at no game.
#
# ## Summary
#
# - CorrRISE's map is a correlation over random masks, and so an estimate.
# - More masks make it more stable. Whether they make it more *precise*, the list at the top says.
# - A linear model of the similarity takes chance out of the map, at no further pass: `estimate="controlled"`.
# - A white-box map has no such error: gweEBP reads its map off one walk.
#
# ## Exercises
#
# **1.** A third mask covers both pixels, and the similarity is then 0.1. What is the first pixel's correlation now?

# %% tags=["hide-cell"]
# Answer: it is no longer undefined: the pixel varies, and the similarity falls with it.
three = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
found = torch.corrcoef(torch.stack([three[:, 0], torch.tensor([0.9, 0.4, 0.1])]))[0, 1]
assert 0 < found < 1
print(f"{found:.2f}")

# %% [markdown]
# **2.** Do the first 25 masks of 50 equal the 25 masks of a run of 25? Why does that matter here?

# %% tags=["hide-cell"]
# Answer: yes. So the points of a line are one growing experiment, and not many small ones.
from gweebp.methods.corrrise import random_masks

few, more = (
    torch.cat(list(random_masks(n, 4, 0.9, (8, 8), seed=seed, batch=16)))
    for n in (25, 50)
)
assert torch.equal(few, more[:25])
print(tuple(few.shape), tuple(more.shape))
