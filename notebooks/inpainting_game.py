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
# # The inpainting game
#
# ```{admonition} What you will learn
# - a game whose right answer is known: one part of the face was exchanged, and nothing else;
# - {term}`SR` and {term}`FAR`, the two rates that a map is judged by, and why the left end of the curve matters;
# - which methods find the exchanged part better than a fixed blob in the middle of the image.
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
sample = -1  # which quadruplet is the example, from 0; -1: the typical one
method = "gweebp"  # the method of the example
steps = 101  # mask sizes in the example, the empty and the full one among them
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
from gweebp.experiment import examples, network_quality, scores, sliders, typical_cases
from gweebp.experiment.build import open_runs
from gweebp.experiment.tables import captioned, stacked
from gweebp.faces import PARTS
from gweebp.figures import style_of
from gweebp.games import inpainting, masks
from gweebp.networks import as_input
from gweebp.saliency import in_place

# %% tags=["hide-input", "remove-output"]
runs = open_runs(build, datasets, networks)
(run,) = open_runs(build, dataset or datasets.split(",")[0], network)
sample = typical_cases.index(run, "inpainting", method, sample)
four, what = examples.quadruplet(run, sample)
net, quadruplet = run.net, (four.op, four.om, four.ip, four.in_)
op, om, ip, in_ = (as_input(net, image) for image in quadruplet)
saliency = gweebp.explain(net, op, om, in_, method=method)
saliency = in_place(saliency, net, op, method=method)
images = [image[0] for image in quadruplet]
shown = {method: saliency[0]}
picture = figures.quadruplet(*images, four.region[0], shown, columns=5)
glue("fig-quadruplet", picture)
options = {"resamples": resamples, "seed": seed}

# %% [markdown]
# ```{glue:figure} fig-quadruplet
# :name: fig-quadruplet
# :alt: Five images. Original probe, original mate, inpainted probe and inpainted non-mate, the exchanged part outlined, and the original probe under a heat map.
#
# {glue:text}`run`, {glue:text}`what`. The map of {glue:text}`method` says why OP is matched to OM rather than to IN. It should lie inside the outline.
# ```
#
# What the game finds on all quadruplets of this network, up to a FAR of 10 %:

# %% tags=["hide-input"]
said = [scores.leader(run, "inpainting-10", **options)]
said += [scores.beats(run, "inpainting-10", "center", **options)]
Markdown("\n".join(f"- {sentence}" for sentence in said))

# %% [markdown]
# The hiding game judges a map by the network's reaction. In the inpainting game {cite:p}`williford2020` the right answer is
# known in advance: if only the nose of a face was exchanged, and the network now sees another person, then the nose made the
# difference. Does a map find it?
#
# A trial is a quadruplet of images: the original probe OP and its mate OM, and both again with one face part
# exchanged, the inpainted probe IP and the inpainted non-mate IN. It qualifies when the network takes the
# exchange for a change of identity, in both modalities, at the verification threshold $\tau$:
#
# ```{math}
# :label: eq-7
# d(\mathrm{OP}, \mathrm{OM}) \le \tau < d(\mathrm{OP}, \mathrm{IN})
# ```
# ```{math}
# :label: eq-8
# d(\mathrm{IP}, \mathrm{IN}) \le \tau < d(\mathrm{IP}, \mathrm{OM})
# ```
#
# The map explains why OP is matched to OM and not to IN. Its most salient pixels are replaced by those of IP; the blend
# is a success when it is matched to IN. Pixels replaced outside the exchanged part are false alarms:
#
# $$
# \begin{gathered}
# \text{SR} = \frac{\#\{\text{blends matched to IN}\}}{\#\{\text{quadruplets}\}} \\[6pt]
# \text{FAR} = \frac{\#\{\text{replaced pixels outside the part}\}}{\#\{\text{pixels outside the part}\}}
# \end{gathered}
# $$
#
# Larger and larger masks, each holding one more step of the map's mass ("percent density"), give a curve of {term}`SR` against {term}`FAR`. A good map
# has a high SR at a low FAR.
#
# ## By hand: masks by percent density
#
# A map of four pixels with mass 0.6, 0.3, 0.1 and 0. The mask of step $k$ of 4 is made of the fewest pixels, the most
# salient first, that hold at least $k/4$ of the mass:

# %%
mass_map = torch.tensor([[0.6, 0.1], [0.3, 0.0]], dtype=torch.float64)
mass, pixel = mass_map.flatten().sort(descending=True)
counts = [0] + [int((mass.cumsum(0) < k / 4 - 1e-9).sum()) + 1 for k in (1, 2, 3)] + [4]
counts

# %% [markdown]
# At step 0 the mask is empty and at the last step it takes everything, also the pixel without mass. The library, on batches:

# %%
order, ranked = masks.ranked(mass_map[None], np.random.RandomState(0))
library = masks.step_counts(ranked, 5)[0].tolist()
assert library == counts and order[0].tolist() == pixel.tolist()
print("pixels in the mask:", library)

# %% [markdown]
# With the left column as the exchanged part, the pixels of mass 0.1 and 0 are outside it, and FAR is the share of these two
# that the mask took; a blend is a success as soon as the network, here the pixels themselves, says so:

# %%
bright = torch.tensor([[[[1.0, 0.2], [0.9, 0.2]]]])  # OP and OM
dark = torch.tensor([[[[0.1, 0.2], [0.2, 0.2]]]])  # IP and IN
region = torch.tensor([[[True, False], [True, False]]])
toy_images = (bright, bright, dark, dark)
toy = inpainting.play(
    lambda x: x.flatten(1), *toy_images, region, mass_map[None], steps=5
)
far, sr = inpainting.pooled(toy)
captioned(
    pd.DataFrame(
        {"pixels": counts, "FAR": far, "SR": sr}, index=pd.RangeIndex(5, name="step")
    ).T,
    "The toy, by hand: pixels in the mask, FAR and SR at each step.",
)

# %% tags=["remove-output", "hide-input"]
blends = examples.exchanged(bright, dark, mass_map[None], [0, 0.25, 0.75, 1])
outline = region[0].repeat_interleave(16, 0).repeat_interleave(16, 1)
titles = [f"step {k}: {'IN' if toy.success[0, k] else 'OM'}" for k in (0, 1, 3, 4)]
glue(
    "fig-inpainting-toy",
    figures.image_grid(list(blends), titles, regions=[outline] * 4, columns=4),
)

# %% [markdown]
# ## One quadruplet
#
# The game on the quadruplet of {numref}`fig-quadruplet`: the blends, and what each is matched to.

# %%
played = inpainting.play(
    net, op, om, ip, in_, four.region, saliency, steps=steps, seed=seed
)
print(examples.turning_point(played))

# %% tags=["remove-cell"]
glue("run", run.title, display=False)
glue("what", what, display=False)
glue("method", style_of(method).label, display=False)
glue("turned", examples.turning_point(played), display=False)

# %% tags=["remove-output", "hide-input"]
shares = np.linspace(0, 1, 5)
blends = examples.exchanged(four.op, four.ip, saliency, shares.tolist(), seed)
matched = [played.success[0, round(s * (steps - 1))] for s in shares]
titles = [f"{s:.0%}: {'IN' if to else 'OM'}" for s, to in zip(shares, matched)]
outlines = [four.region[0]] * 5
grid = figures.image_grid(list(blends), titles, regions=outlines, columns=5)
glue("fig-blends", grid)

# %% [markdown]
# ```{glue:figure} fig-blends
# :name: fig-blends
# :alt: Five blends of the original and the inpainted probe, with more and more pixels of the latter, and the outline of the exchanged part.
#
# Blends that hold more and more of the map's mass, and what each is matched to. Here {glue:text}`turned`.
# ```
#
# Move the share of the mass yourself, and see this blend, and SR and FAR of all quadruplets, follow:

# %% tags=["hide-input"]
NONE = "This dataset has no quadruplets: its people have no doppelgängers. The inpainting game is not played on it."
games = sliders.played(run, sample, seed)
shown = {"count": len(run.qualified), "first": method}
figures.threshold_slider(
    four.op[0], four.ip[0], four.region[0], games, **shown
) if games else Markdown(NONE)

# %% [markdown]
# ## Which quadruplets qualify
#
# Each candidate of the example's dataset, at {eq}`eq-7` and {eq}`eq-8`: distances marked ≤ τ must not exceed $\tau$,
# those marked > τ must. If the network does not notice the swap, there is nothing to explain; if the swapped probe no longer matches its own photo, there is no right answer.

# %% tags=["remove-output", "hide-input"]
d, kept = network_quality.conditions(run)
near = ["d(OP, OM)", "d(IP, IN)"]
picture = (
    figures.conditions(d, run.trials["threshold"], kept, near)
    if len(kept)
    else figures.note(NONE)
)
glue("fig-conditions", picture)

# %% [markdown]
# ```{glue:figure} fig-conditions
# :name: fig-conditions
# :alt: Four rows of points, one row a distance, and a dashed line at the threshold. Filled points belong to quadruplets that satisfy all four conditions.
#
# The four distances of each candidate quadruplet of {glue:text}`run`. Filled: satisfies all four conditions.
# ```

# %% tags=["hide-input"]
counts = {
    run.title: run.qualified.counts()
    | {"all": len(run.qualified), "of": len(run.candidates)}
    for run in runs
}
captioned(
    pd.DataFrame(counts).T,
    "Qualified quadruplets by exchanged part, of all candidates.",
)

# %% [markdown]
# ## All quadruplets, all methods
#
# SR against FAR, the left end above, where it matters, and the whole below, with 95 % bootstrap bands over identities.

# %% tags=["remove-output", "hide-input"]
lines = scores.curves(runs, "inpainting", **options)
axes = {"xlabel": "FAR", "ylabel": "SR"}
glue(
    "fig-sr-low",
    figures.curves(lines, **axes, xlim=(0, 0.1)) if lines else figures.note(NONE),
)
glue(
    "fig-sr",
    figures.curves(lines, **axes, bands=["gweebp", "random"])
    if lines
    else figures.note(NONE),
)

# %% [markdown]
# ```{glue:figure} fig-sr-low
# :name: fig-sr-low
# :alt: One panel for each network and dataset. Success rate of each method against false alarm rates from 0 to 10 percent.
#
# Inpainting game at low false alarm rates, with pointwise 95 % bands.
# ```
#
# ```{glue:figure} fig-sr
# :name: fig-sr
# :alt: One panel for each network and dataset. Success rate of each method against the false alarm rate from 0 to 100 percent.
#
# The same over all false alarm rates; bands of gweEBP and of the random order only.
# ```

# %% tags=["remove-output", "hide-input"]
area = scores.estimates(runs, "inpainting-10", **options)
glue(
    "fig-area-10",
    figures.forest(area, xlabel="mean SR up to FAR 10 %")
    if area
    else figures.note(NONE),
)

# %% [markdown]
# ```{glue:figure} fig-area-10
# :name: fig-area-10
# :alt: One panel for each network and dataset. For each method a point with a bar, the mean success rate up to a false alarm rate of 10 percent.
#
# Mean SR up to a FAR of 10 %, with 95 % intervals. The dotted line is the random order.
# ```

# %%
found = {
    name: scores.estimates(runs, name, **options)
    for name in scores.MEASURES
    if name != "hiding"
}
labels = {name: scores.MEASURES[name].label.partition(": ")[2] for name in found}
columns = {
    title: {labels[name]: found[name][title] for name in found}
    for title in found["inpainting"]
}
captioned(
    stacked(
        {title: scores.table(row, digits=2) for title, row in columns.items()}, "method"
    ),
    "The inpainting game by several measures, with 95 % intervals.",
)

# %% [markdown]
# ### Part by part
#
# Parts differ in size and in what they mean to a network. SR at a FAR of 10 %, and the number of quadruplets below each part;
# few quadruplets make a number that means little.

# %% tags=["remove-output", "hide-input"]
by_part, trials = scores.by_part(runs, "sr-10")
shown = {"parts": PARTS, "label": "exchanged part", "counts": trials}
glue("fig-parts", figures.heatmap(by_part, **shown) if by_part else figures.note(NONE))

# %% [markdown]
# ```{glue:figure} fig-parts
# :name: fig-parts
# :alt: One table of coloured cells for each network and dataset, methods as rows and the six face parts as columns; each cell holds a success rate.
#
# SR at a FAR of 10 % by exchanged part. Below each part, its number of quadruplets.
# ```
#
# ## What the numbers say
#
# Up to a FAR of 10 %:

# %% tags=["hide-input"]
said = [f"- {scores.leader(run, 'inpainting-10', **options)}" for run in runs]
for baseline in ("random", "center"):
    said += [
        f"- {scores.beats(run, 'inpainting-10', baseline, **options)}" for run in runs
    ]
Markdown("\n".join(said))

# %% [markdown]
# `center` is a fixed blob in the middle of the image: it reads neither the image nor the network. Where a method does not beat it,
# knowing where the parts of a face lie was worth as much as reading the network. Over all FAR, where large masks count as much as small ones:

# %% tags=["hide-input"]
Markdown("\n".join(f"- {scores.leader(run, 'inpainting', **options)}" for run in runs))

# %% [markdown]
# ## What would falsify it
#
# - *The game*: if a map of the truth itself, the exchanged part, did not reach a high SR at FAR 0. By {eq}`eq-8` it has to:
#   replacing just that part gives IP, which is nearer to IN than to OM.
# - *A method*: if it is not above `random` and `center` at low FAR.
# - *The claim that a map finds what the network used*: if it holds for large parts only. Hair is easily hit by a coarse map, eyes
#   are not; the table by part shows both.
#
# Success here means nearer to IN than to OM, as in the authors' released code. The paper's text asks for
# $d(\text{blend}, \text{IN}) \le \tau$; `rule: tau` in a profile plays it so.
#
# ## Summary
#
# - A quadruplet qualifies when the network takes the exchanged part for a change of identity, in sketch and photo.
# - SR is the share of blends that turn into the twin, FAR the share of pixels outside the part that were replaced.
# - A good map has a high SR at a low FAR. Over all FAR, large masks count as much as small ones.
# - `center` knows where a face keeps its parts. It is the baseline to beat.
#
# ## Exercises
#
# **1.** A map of the truth itself, 1 on the exchanged part and 0 elsewhere: what SR does it reach at FAR 0 on the quadruplet above, if that qualifies?

# %% tags=["hide-cell"]
# Answer: 1. The blend is then IP itself, which Eq. (8) puts nearer to IN than to OM.
blend = torch.where(four.region[:, None], four.ip, four.op)
assert torch.equal(blend, four.ip)
to_in, to_om = d["d(IP, IN)"], d["d(IP, OM)"]
assert (to_in[kept] < to_om[kept]).all()
print(
    "qualified quadruplets whose IP is nearer to IN:", int((to_in < to_om)[kept].sum())
)

# %% [markdown]
# **2.** In the toy, what would FAR be after two pixels if the map ranked the right column first?

# %% tags=["hide-cell"]
# Answer: 1: both pixels outside the part are then replaced, and none inside.
wrong = torch.tensor([[[0.1, 0.6], [0.0, 0.3]]])
found = inpainting.play(lambda x: x.flatten(1), *toy_images, region, wrong, steps=5)
far, sr = inpainting.pooled(found)
assert 1.0 in far and sr[list(far).index(1.0)] == 0
print("FAR", far, " SR", sr)
