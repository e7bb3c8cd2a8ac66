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
# # The hiding game
#
# ```{admonition} What you will learn
# - how the hiding game turns a map into a curve, and the curve into one number;
# - why it fills with the non-mate's pixels, and what a half-hidden sketch looks like to a network;
# - which methods beat an order that never looks at the image.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
build = "_build/book"  # the folder of the results
networks = "vgg16,lcnn9"  # the networks to show, separated by commas
datasets = (
    "synthetic-composite,synthetic-drawn"  # the datasets to show, separated by commas
)
network = "lcnn9"  # the network of the example
dataset = ""  # the dataset of the example; empty: the first of `datasets`
sample = -1  # which triplet is the example, from 0; -1: the typical one
method = "gweebp"  # the method of the example
steps = 41  # shares hidden in the example, 0 and 1 among them
resamples = 2000  # bootstrap resamples behind each interval
seed = 0  # of the bootstrap and of ties in a map

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from myst_nb import glue

import gweebp
from gweebp import figures
from gweebp.experiment import examples, scores, typical_cases
from gweebp.experiment.build import open_runs
from gweebp.experiment.tables import captioned, frame
from gweebp.figures import style_of
from gweebp.games import hiding
from gweebp.networks import as_input
from gweebp.saliency import in_place

# %% tags=["hide-input", "remove-output"]
runs = open_runs(build, datasets, networks)
(run,) = open_runs(build, dataset or datasets.split(",")[0], network)
sample = typical_cases.index(run, "hiding", method, sample)
triplet = run.triplet(sample)
p, m, n = (as_input(run.net, image) for image in triplet)
saliency = gweebp.explain(run.net, p, m, n, method=method)
saliency = in_place(saliency, run.net, p, method=method)
images = [image[0] for image in triplet]
glue("fig-hiding-triplet", figures.triplet(*images, {method: saliency[0]}, columns=4))
options = {"resamples": resamples, "seed": seed}

# %% [markdown]
# ```{glue:figure} fig-hiding-triplet
# :name: fig-hiding-triplet
# :alt: Four images in a row. The probe, a sketch; its mate and a non-mate, photos; and the probe in grey under a heat map.
#
# A triplet of {glue:text}`run`, the typical one, and the map of {glue:text}`method` on its probe. The game hides the places that the map calls
# unimportant first.
# ```
#
# What the game finds on all triplets of this network:

# %% tags=["hide-input"]
Markdown(
    f"- {scores.leader(run, 'hiding', **options)}\n- {scores.beats(run, 'hiding', 'center', **options)}"
)

# %% [markdown]
# If a map is right about which pixels made a network prefer the mate, then the pixels that it calls unimportant can
# go. How much of the probe can be hidden before the match is lost?
#
# Castanon and Byrne introduced the game {cite:p}`castanon2018`; {cite:t}`wang2025gweebp` fill with the non-mate. It is played on triplets whose probe finds its mate at rank 1; the non-mate is the
# face at rank 2. Pixels of the probe are replaced by the non-mate's, the least salient first. With $p_f$ the probe of
# which the fraction $f$ is hidden,
#
# $$
# \text{TPR}(f) = \frac1T \sum_{t=1}^{T} \big[\, d(p_f^t, m^t) < d(p_f^t, n^t) \,\big],
# \qquad d(x, y) = \lVert e(x) - e(y) \rVert_2 ,
# $$
#
# and the number that sums up a method is the area under $\text{TPR}$ over $f \in [0, 1]$. At $f = 0$ every triplet
# is matched, by selection; at $f = 1$ the probe *is* the non-mate, and none is. A good map makes the curve fall late. A curve
# need not fall steadily: a half-hidden probe is an image that the network has never seen, and hiding more of it can bring the match back.
#
# Why fill with the non-mate, and not with grey or noise? Because nothing in grey pulls the probe towards the
# non-mate: all of it could be hidden and some probes would still be "matched".
#
# ## By hand
#
# An image of four pixels, and a "network" that takes the pixels themselves as the embedding. The mate equals the
# probe. The probe is bright at the top left, the non-mate at the bottom right: those two pixels decide.

# %%
probe = torch.tensor([[1.0, 0.3], [0.2, 0.1]])
nonmate = torch.tensor([[0.1, 0.4], [0.3, 1.0]])
good = torch.tensor([[0.6, 0.1], [0.0, 0.3]])  # knows which pixels decide
bad = torch.tensor([[0.0, 0.3], [0.6, 0.1]])  # has it upside down

# %% [markdown]
# Hide one pixel after the other, the least salient first, and compare the angles (for unit vectors, the nearer one is
# the one with the larger cosine):

# %%
matched_by_hand = {}
for name, toy_map in (("good", good), ("bad", bad)):
    image, rows = probe.flatten().clone(), []
    for pixel in [None, *toy_map.flatten().argsort().tolist()]:
        if pixel is not None:
            image[pixel] = nonmate.flatten()[pixel]
        to_mate, to_nonmate = (
            torch.cosine_similarity(image, x.flatten(), dim=0) for x in (probe, nonmate)
        )
        rows.append(bool(to_mate > to_nonmate))
    matched_by_hand[name] = rows
captioned(
    pd.DataFrame(
        matched_by_hand, index=pd.Index([f"{k} of 4" for k in range(5)], name="hidden")
    ).T,
    "The toy, by hand: is the blend still matched?",
)

# %% [markdown]
# The library plays the same game on batches of images, maps and embeddings:

# %%
batch = [x.view(1, 1, 2, 2) for x in (probe, probe, nonmate)]
for name, toy_map in (("good", good), ("bad", bad)):
    played = hiding.play(lambda x: x.flatten(1), *batch, toy_map[None], steps=5)
    assert played[0].tolist() == matched_by_hand[name]
    area = hiding.area(played).value
    print(f"{name} map: still matched {played[0].int().tolist()}, area {area:.3f}")

# %% tags=["remove-output", "hide-input"]
shares = [0, 0.25, 0.5, 0.75, 1]
toys = [
    examples.hidden(batch[0], batch[2], saliency[None], shares)
    for saliency in (good, bad)
]
verdict = {True: "mate", False: "non-mate"}
titles = [verdict[matched] for rows in matched_by_hand.values() for matched in rows]
glue(
    "fig-hiding-toy",
    figures.image_grid(
        [*toys[0], *toys[1]], titles, rows=["good map", "bad map"], columns=5
    ),
)

# %% [markdown]
# ## One triplet
#
# The same on the triplet of {numref}`fig-hiding-triplet`. Network, dataset, sample, method and the number of steps are parameters of
# this notebook.

# %%
matched = hiding.play(run.net, p, m, n, saliency, steps=steps, seed=seed)
print("still matched:", "".join("✓" if x else "·" for x in matched[0]))
hold = int(matched[0].long().cumprod(0).sum()) - 1  # the last step before a loss

# %% tags=["remove-cell"]
glue("run", run.title, display=False)
glue("method", style_of(method).label, display=False)
glue("hold", f"{hold / (steps - 1):.0%}", display=False)

# %% tags=["remove-output", "hide-input"]
shown = np.linspace(0, steps - 1, 6).round().astype(int)
shares = (shown / (steps - 1)).tolist()
blends = examples.hidden(triplet[0], triplet[2], saliency, shares, seed)
titles = [f"{k / (steps - 1):.0%}: {verdict[bool(matched[0, k])]}" for k in shown]
glue("fig-hiding-blends", figures.image_grid(list(blends), titles, columns=3))

# %% [markdown]
# ```{glue:figure} fig-hiding-blends
# :name: fig-hiding-blends
# :alt: Six images of the probe in which more and more pixels come from the non-mate, until only the non-mate is left.
#
# The probe with more and more of it hidden, and the face that the network matches it to. Up to
# {glue:text}`hold` of the pixels can go before the match is lost for the first time.
# ```
#
# Note how a sketch with pieces of a photo in it looks: like nothing that the network was trained on. The paper counts
# this against the game, and prefers the [inpainting game](inpainting_game).
#
# ## All triplets, all methods
#
# Each line is one method on all triplets of a network and dataset; the band is a 95 % bootstrap interval over
# identities {cite:p}`efron1979`. Two baselines read neither the image nor the network, and a method must beat both:
# `random` orders the pixels at random, and `center` orders them from the middle outwards.

# %% tags=["remove-output", "hide-input"]
glue(
    "fig-hiding-curves",
    figures.curves(
        scores.curves(runs, "hiding", **options),
        xlabel="share of the probe hidden",
        ylabel="TPR",
        strong=[*figures.STRONG, "corrrise"],
    ),
)
areas = scores.estimates(runs, "hiding", **options)
glue("fig-hiding-areas", figures.forest(areas, xlabel="area under TPR"))

# %% [markdown]
# ```{glue:figure} fig-hiding-curves
# :name: fig-hiding-curves
# :alt: One panel for each network and dataset. Each curve starts at 100 percent, where nothing is hidden, and ends at 0, where all is hidden.
#
# Hiding game: share of probes still matched against the share of their pixels hidden, with pointwise 95 % bands.
# ```
#
# ```{glue:figure} fig-hiding-areas
# :name: fig-hiding-areas
# :alt: One panel for each network and dataset. For each method a point with a horizontal bar, the area under its curve and the interval; a dotted line marks the random order.
#
# Area under the curves of {numref}`fig-hiding-curves` with 95 % intervals. The dotted line is the random order.
# ```

# %%
table = frame(scores.table(areas, digits=2), "method")
table.loc["triplets"] = [str(len(run.games.hiding_subject)) for run in runs]
captioned(
    table,
    "Area under TPR of each method, with 95 % intervals.",
)

# %% [markdown]
# Intervals of two methods may overlap although one is better on nearly every triplet, for both share the easy and
# the hard triplets. The paired difference settles it:

# %% tags=["remove-output", "hide-input"]
pairs = {
    other: ("gweebp", other)
    for run in runs
    for other in run.games.methods
    if other != "gweebp"
}
lead = scores.differences(runs, "hiding", pairs, **options)
glue(
    "fig-hiding-lead",
    figures.differences(lead, xlabel="area of gweEBP minus area of the other"),
)

# %% [markdown]
# ```{glue:figure} fig-hiding-lead
# :name: fig-hiding-lead
# :alt: One panel for each network and dataset. For each other method a point with a bar, the area of gweEBP minus its own, about a line at zero.
#
# Area of gweEBP minus that of each other method on the same triplets, bootstrapped in pairs; $p$ not corrected for the
# number of comparisons. The [results chapter](results) corrects.
# ```
#
# ## What the numbers say

# %% tags=["hide-input"]
Markdown("\n".join(f"- {scores.leader(run, 'hiding', **options)}" for run in runs))

# %% [markdown]
# Compared with the random order:

# %% tags=["hide-input"]
Markdown("\n".join(f"- {scores.beats(run, 'hiding', **options)}" for run in runs))

# %% [markdown]
# Beating `random` need not mean much: it hides scattered pixels where a map hides patches, and a network may take the
# one worse than the other. `center` hides a patch as well, and knows where faces are:

# %% tags=["hide-input"]
Markdown(
    "\n".join(f"- {scores.beats(run, 'hiding', 'center', **options)}" for run in runs)
)

# %% [markdown]
# ## What would falsify it
#
# - *The game*, as a test of maps, if maps that never look at the image did as well as maps that do: the last list
#   says which methods the game can't tell from a fixed central blob, or puts below it.
# - *A method*, if it is below `random`: then it hides what matters first.
# - *A ranking*, if it does not survive other test identities: the intervals are there to say so. They cover the choice of
#   test identities, not another training of the network.
#
# ## Summary
#
# - Pixels of the probe are replaced by the non-mate's, the least salient first. A good map keeps the match for long.
# - The figure of a method is the area under TPR, and paired differences say which of two methods is better.
# - `random` and `center` know nothing of the image. A method that does not beat them has shown nothing.
# - Half-hidden probes are unlike anything in the training set. The [inpainting game](inpainting_game) avoids that.
#
# ## Exercises
#
# **1.** In the toy, hide by the *good* map, but fill with grey (0.5) in place of the non-mate's pixels. When is the match lost?

# %% tags=["hide-cell"]
# Answer: only with the last pixel. As long as one is left, nothing pulls the probe
# towards the non-mate; when all are grey, the probe itself is gone.
image, kept = probe.flatten().clone(), []
for pixel in good.flatten().argsort().tolist():
    image[pixel] = 0.5
    cosines = [
        torch.cosine_similarity(image, x.flatten(), dim=0) for x in (probe, nonmate)
    ]
    kept.append(bool(cosines[0] > cosines[1]))
print("still nearer to the mate", kept)
assert kept == [True, True, True, False]

# %% [markdown]
# **2.** What is the area of a map that keeps the match until everything is hidden, in a game of 5 steps? And of one that loses it at once?

# %% tags=["hide-cell"]
# Answer: the trapezoids between the steps say it: the first loses only the last half step.
best, worst = torch.tensor([[1, 1, 1, 1, 0], [1, 0, 0, 0, 0]], dtype=torch.bool)
areas = [hiding.area(x[None]).value for x in (best, worst)]
assert np.allclose(areas, [0.875, 0.125])
print("areas", areas)
