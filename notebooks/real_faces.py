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
# # Real faces, a real network
#
# ```{admonition} What you will learn
# - whether the methods explain a network that others trained, on drawings of real people;
# - how much of the probability a network with batch norm loses on its way down;
# - whether another way of inventing a face part changes the verdict.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
build = "_build/cuhk"  # the folder of the results
networks = "vgg16,lcnn9,mobilefacenet"  # the networks to show, separated by commas
datasets = "cuhk"  # the datasets to show, separated by commas
published = "mobilefacenet"  # the network that others trained
sample = 0  # which trial is the example, from 0
triplets = 8  # on how many the lost probability is measured
people = 20  # test subjects whose parts are invented a second time
methods = "random,center,gradcam,pairwisesim,ebp,cebp,ecebp,gweebp"  # that play on both, separated by commas
steps = 11  # mask sizes in that game, the empty and the full one among them
far = "sr-10"  # the figure of the inpainting game, a key of scores.MEASURES
resamples = 2000  # bootstrap resamples behind each interval
seed = 0  # of the game and the bootstrap

# %% tags=["hide-input"]
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from IPython.display import Markdown, display
from myst_nb import glue

from gweebp import figures
from gweebp.experiment import inpainted_doppelgangers, real_faces, scores
from gweebp.experiment.agreement import maps_of
from gweebp.experiment.build import open_runs
from gweebp.experiment.tables import captioned, frame
from gweebp.faces.preparation import cyclegan, quality
from gweebp.faces.preparation.exchange import filler
from gweebp.networks.verification import embed


def label(run):
    """The network of a run, where all are on one set."""
    return run.title.partition(",")[0]


runs = open_runs(build, datasets, networks)
given = [run for run in runs if run.network == published]
absent = f"**The weights of {published} were not there when this book was built: only our own networks are shown.**"
Markdown(
    f"Shown with published weights: {', '.join(run.title for run in given)}."
    if given
    else absent
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "A sketch, its photo and the photo of another person, then the sketch under the map of each method."}}
for run in given or runs[-1:]:
    maps = {name: x[sample] for name, x in maps_of(run, "hiding").items()}
    display(Markdown(f"**{run.title}**, triplet {sample} of the hiding game."))
    display(
        figures.triplet(*(image[0] for image in run.triplet(sample)), maps, columns=4)
    )

# %% tags=["hide-input"]
Markdown(
    "\n".join(
        f"- {scores.leader(run, 'hiding', resamples=resamples, seed=seed)}"
        for run in runs
    )
)

# %% [markdown]
# Do the methods explain a face network that others trained, on drawings of real people, as they explain ours?
#
# The other chapters show networks that this book trains. Here a published one, MobileFaceNet {cite:p}`chen2018mobilefacenets`,
# trained on millions of photographs and never
# on a drawing, is taken as it is. It is of another kind: depthwise convolutions, batch norm, residual additions, ReLU6. It stands beside
# LCNN9, which learned on drawn synthetic faces and was then tuned on the training pairs of this set.
#
# ```{note}
# The published weights are yours to bring: `make book PROFILE=cuhk DATA=folder SET=cuhk WEIGHTS=mobilefacenet.pt`. Without them this page
# says so, and the rest of the book is built without that network. Quadruplets need `landmarks68.csv` in the folder.
# ```
#
# ## By hand: where a network with batch norm loses probability
#
# A convolution's output is 0 where all its children are 0. A shift, such as batch norm's, can make the neuron active all the same.
# Excitation backprop then has a parent with probability, and no child to hand it to; the bias, which is not a child, has won:

# %%
children, weights, shift = torch.zeros(9), torch.ones(9), 0.5
excitation = (
    weights.clamp(min=0) * children
)  # Eq. (1): share of each child, before it is divided by the sum
response = torch.relu((weights * children).sum() + shift)
assert response > 0 and excitation.sum() == 0
print(f"response {response:.1f}, excitation of its children {excitation.sum():.1f}")

# %% [markdown]
# ## Matching sketches to photographs
#
# Nothing was tuned for the published network, so all pairs can test it; our own networks learned on some of the pairs, and only the
# test sketches count. Shares of sketches whose photo is among the nearest $k$, with Wilson's 95 % interval:

# %% tags=["hide-input"]
table = real_faces.matching(runs, untuned=[published])
captioned(
    frame(table, "run"),
    "Share of sketches whose photo is among the nearest, with 95 % intervals.",
)

# %% [markdown]
# ## Doppelgängers of real people
#
# Of each test person, one face part after the other is replaced, in the sketch and in the photo, on the way that
# [another chapter](preparation) measures on drawn faces:

# %% tags=["hide-input"]
Markdown(
    real_faces.inventors(runs[0])
    or "This folder has no landmarks, so it is not known where the parts are."
)

# %% [markdown]
# A network accepts a candidate by the four conditions of the [inpainting game](inpainting_game), and only then does it play:

# %% tags=["hide-input"]
captioned(
    pd.DataFrame({run.title: real_faces.candidates(run) for run in runs}),
    "Candidates for the inpainting game.",
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Sketch, photo, and both with one part filled in, its outline drawn; then the sketch under the map of each method."}}
for run in [run for run in given or runs if run.games.inpainting][:1]:
    four = run.quadruplet(sample)
    maps = {name: x[sample] for name, x in maps_of(run, "inpainting").items()}
    display(Markdown(f"**{run.title}**, quadruplet {sample} of the inpainting game."))
    display(
        figures.quadruplet(
            four.op[0], four.om[0], four.ip[0], four.in_[0], four.region[0], maps
        )
    )

# %% [markdown]
# Does a person survive the way from a photograph into a drawing? The share of test drawings whose nearest test photograph is their own,
# as they are and translated, judged by the grey picture itself as a thumbnail, and by the networks, with Wilson's 95 % interval:

# %% tags=["hide-input"]
translator, found = (
    Path(build, "inventors", runs[0].dataset, "translator.safetensors"),
    {},
)
if translator.is_file():
    faces, judges = runs[0].faces, {"grey picture": quality.appearance}
    judges |= {label(run): partial(embed, run.net) for run in runs}
    sketches, photos = faces.sketches[faces.test], faces.photos[faces.test]
    found = inpainted_doppelgangers.found_again(
        cyclegan.load(translator), sketches, photos, judges
    )
display(
    pd.DataFrame(found).T
    if found
    else Markdown("No translator was trained in this profile.")
)

# %% [markdown]
# ## Both games
#
# The area under the curve of the hiding game, and one figure of the inpainting game, for every network. The intervals are bootstrap
# intervals over people.

# %% tags=["remove-output", "hide-input"]
hiding = scores.estimates(runs, "hiding", resamples=resamples, seed=seed)
glue("fig-real-hiding", figures.forest(hiding, xlabel=scores.find("hiding").label))
played = [run for run in runs if run.games.inpainting]
inpainting = scores.estimates(played, far, resamples=resamples, seed=seed)
none = figures.note("No quadruplets were played in this profile.")
glue(
    "fig-real-inpainting",
    figures.forest(inpainting, xlabel=scores.find(far).label) if played else none,
)

# %% [markdown]
# ```{glue:figure} fig-real-hiding
# :name: fig-real-hiding
# :alt: One panel for each network with a dot and an interval for each method, the area under the curve of the hiding game.
#
# Hiding game on real sketches, area under the curve, 95 % intervals.
# ```
#
# ```{glue:figure} fig-real-inpainting
# :name: fig-real-inpainting
# :alt: One panel for each network with a dot and an interval for each method, a figure of the inpainting game.
#
# Inpainting game on real sketches, 95 % intervals.
# ```
#
# ## Another inventor, another verdict?
#
# How these people would look with another nose is not known. So the same parts of {glue:text}`real-people` people are invented a second
# time by a method that knows nothing of faces: the hole is closed from its rim {cite:p}`telea2004`, in photo and sketch alike. What
# becomes of the candidates, and of what the methods reach on them:

# %% tags=["remove-output", "hide-input"]
glue("real-people", str(people), display=False)
played_anew = {}
for run in [run for run in given or runs[-1:] if run.games.inpainting]:
    chosen = run.candidates.select(
        torch.isin(run.candidates.subject, run.faces.test[:people])
    )
    for kind, four in {
        "as played": chosen,
        "from the rim": inpainted_doppelgangers.refilled(chosen, filler("telea")),
    }.items():
        played_anew[run, kind] = inpainted_doppelgangers.play(
            run, four, methods.split(","), steps=steps, seed=seed
        )
options = {"resamples": resamples, "seed": seed}
panels = {
    f"{label(run)}: {kind}": {
        m: scores.find(far).estimate(p.games, m, **options) for m in p.games.inpainting
    }
    for (run, kind), p in played_anew.items()
}
panels = {title: found for title, found in panels.items() if found}
glue(
    "fig-anew",
    figures.forest(panels, xlabel=scores.find(far).label) if panels else none,
)

# %% tags=["hide-input"]
captioned(
    pd.DataFrame(
        {
            f"{label(run)}: {kind}": inpainted_doppelgangers.summary(
                p, run.trials["threshold"]
            )
            for (run, kind), p in played_anew.items()
        }
    ).T,
    "Candidates that satisfy each condition, by the way they were made.",
)

# %% [markdown]
# ```{glue:figure} fig-anew
# :name: fig-anew
# :alt: Two panels, the candidates that were played and the same parts closed from the rim. For each method a point with a bar, a figure of the inpainting game.
#
# The inpainting game on the same parts of the same people by two inventors, 95 % intervals over people.
# ```

# %% tags=["hide-input"]
lines = [
    f"- {label(run)}, {kind}: {inpainted_doppelgangers.agreement_in_words(p, played_anew[run, 'as played'], far, kind='played', **options)}"
    for (run, kind), p in played_anew.items()
    if kind != "as played"
]
Markdown("\n".join(lines) or "No quadruplets were played in this profile.")

# %% [markdown]
# ## How much of the probability reaches the map
#
# The sum of the MWP over the layer's neurons, mean over triplets; what is missing was lost above it, at neurons that
# only a shift had made active. The map shows the rest, scaled to sum 1.

# %% tags=["remove-output", "hide-input"]
left = {run.title: real_faces.probability_left(run, triplets=triplets) for run in runs}
glue("fig-left", figures.by_depth(left, xlabel="share of the probability that arrives"))

# %% [markdown]
# ```{glue:figure} fig-left
# :name: fig-left
# :alt: One panel for each network with a mark for each layer from the top down to the saliency layer and three series, EBP, eEBP and gweEBP; the share of the probability that arrives at the layer.
#
# Share of the probability that arrives at each layer, from the top down to the saliency layer.
# ```
#
#
# ## What the numbers say

# %% tags=["hide-input"]
said = {
    "Matching, and what reaches the map": [
        real_faces.finding_in_words(r, left[r.title], untuned=[published]) for r in runs
    ]
}
for measure, among in (("hiding", runs), (far, played)):
    found = [scores.leader(run, measure, **options) for run in among]
    title = scores.find(measure).label
    said[title[0].upper() + title[1:]] = found or ["not played in this profile."]
Markdown(
    "\n\n".join(
        f"{what}:\n\n" + "\n".join(f"- {line}" for line in lines)
        for what, lines in said.items()
    )
)

# %% [markdown]
# ## What would falsify it
#
# - *The choice of the network*: if the order of the methods on the published network were another than on ours by more than the intervals
#   allow, what the other chapters find would hold for networks of this book only.
# - *The maps of a network with batch norm*: if hardly any probability arrived at the saliency layer, its map would speak for a small
#   remainder. The last figure says how large the remainder is.
# - *The quadruplets*: invented parts are smoother than real ones, and a method that finds smooth regions would do well without
#   knowing why the network changed its mind; two inventors who rank the methods unlike would show it. Exact doppelgängers, which only the [synthetic faces](datasets) have, are the check.
#
# ## Summary
#
# - A published network of another kind is explained as it is, with nothing trained on drawings.
# - With batch norm a neuron may be active without a child that excites it. Its probability is lost, and the page says how much.
# - The inpainting game on real faces depends on how parts are invented. Two inventors show how much.
#
# ## Exercises
#
# **1.** Take the shift of the toy away. Does the neuron still hold probability that it cannot hand on?

# %% tags=["hide-cell"]
# Answer: no. Without a shift its response is 0, and it gets no probability.
silent = torch.relu((weights * children).sum())
assert silent == 0
print("response", silent.item())

# %% [markdown]
# **2.** Let one of the nine children respond with 1. What does it get?

# %% tags=["hide-cell"]
# Answer: everything that the parent holds: a shift is not a child.
children[4] = 1.0
share = weights.clamp(min=0) * children
share = share / share.sum()
assert share[4] == 1
print("share", share[4].item())
