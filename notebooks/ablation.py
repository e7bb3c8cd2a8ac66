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
# # Ablation: what the extension is worth
#
# ```{admonition} What you will learn
# - what negative responses and weights add to EBP, cEBP and tcEBP, measured with all else equal;
# - why the answer should differ between a network of max-feature-maps and one of ReLUs;
# - how much of gweEBP's result is due to gradient weighting.
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
margin = 0.05  # a smaller difference of an area is not noticeable
resamples = 2000  # bootstrap resamples behind each interval
seed = 0  # of the bootstrap

# %% tags=["hide-input"]
from IPython.display import Markdown
from myst_nb import glue

import gweebp
from gweebp import figures
from gweebp.experiment import examples, scores, sliders, typical_cases
from gweebp.experiment.build import open_runs
from gweebp.experiment.claims import CLAIMS, judge
from gweebp.experiment.evidence import of_build
from gweebp.experiment.sentences import EXTENDED
from gweebp.experiment.tables import captioned, frame, stacked
from gweebp.figures import style_of
from gweebp.networks import as_input
from gweebp.saliency import in_place

FAMILY = [name for pair in EXTENDED for name in reversed(pair)]
LABELS = {extended: (extended, original) for extended, original in EXTENDED}
NONE = "The inpainting game is not played on this dataset: its people have no doppelgängers."

# %% tags=["hide-input", "remove-output"]
runs = open_runs(build, datasets, networks)
(run,) = open_runs(build, dataset or datasets.split(",")[0], network)
sample = typical_cases.index(run, "inpainting", "gweebp", sample)
four, what = examples.quadruplet(run, sample)
op, om, in_ = (as_input(run.net, image) for image in (four.op, four.om, four.in_))
maps = {name: gweebp.explain(run.net, op, om, in_, method=name) for name in FAMILY}
maps = {name: in_place(x, run.net, op, method=name)[0] for name, x in maps.items()}
titles = ["OP", "IP", *(style_of(name).label for name in FAMILY)]
images = [four.op[0], four.ip[0], *[four.op[0]] * len(FAMILY)]
shown = [None, None, *maps.values()]
picture = figures.image_grid(
    images, titles, maps=shown, regions=[None, *[four.region[0]] * 7], columns=4
)
glue("run", run.title, display=False)
glue("what", what, display=False)
glue("fig-ablation-maps", picture)
options = {"resamples": resamples, "seed": seed}
added = scores.differences([run], "inpainting-10", LABELS, **options)

# %% [markdown]
# ```{glue:figure} fig-ablation-maps
# :name: fig-ablation-maps
# :alt: Two images of a sketch before and after one part was exchanged, then six heat maps on the first of them, each original method followed by its extended form.
#
# {glue:text}`run`, {glue:text}`what`: each method of the family, then its extended form, with the outline of the part.
# ```

# %% tags=["hide-input"]
found = added.get(run.title, {})
row = [f"{style_of(m).label} {scores.with_interval(d)}" for m, d in found.items()]
Markdown(
    f"What the extension adds to each method's mean SR up to FAR 10 %, on {run.title}: {', '.join(row)}."
    if row
    else NONE
)

# %% [markdown]
# gweEBP is excitation backprop with two changes: negative responses and weights take part ({doc}`extended_ebp`), and
# responses are weighted by the gradient of the decision ({doc}`gradient_weighting`). Which of the two does the work? The
# paper plays the [inpainting game](inpainting_game) with each method of the EBP family beside its extended form, without
# gradient weighting:
#
# | original | extended | what they share |
# |---|---|---|
# | EBP | eEBP | the mate alone |
# | cEBP | ecEBP | mate minus non-mate |
# | tcEBP | etcEBP | mate minus non-mate, where the mate is strong |
#
# It expects a gain on LCNN9, whose max-feature-map lets negative responses through, and none on VGG16, where ReLU has removed
# them. On VGG16 the two differ in one place only, the embedding: a negative component of it takes part in the extended form, and its share
# goes to the children that pushed it down, those with a negative weight.
#
# ## How much there is to extend
#
# The share of negative responses at the saliency layer and in the embedding, on the test sketches of each run:

# %%
negative = [{"run": run.title} | examples.negative_shares(run) for run in runs]
captioned(
    frame(negative, "run").map("{:.1%}".format),
    "Share of negative responses on the test sketches.",
)

# %% [markdown]
# ## Layer by layer
#
# What {doc}`gradient weighting <gradient_weighting>` does to the same probe, from the embedding down to the image: the
# probability at the output of each convolution, and at the layer that maps are read from, summed over channels. Move along the
# layers:

# %% tags=["hide-input"]
start = run.net.saliency_layer.removeprefix("features.")
figures.layer_slider(
    four.op[0], sliders.weighting(run, four), ("extended EBP", "gweEBP"), start
)

# %% [markdown]
# ## All quadruplets

# %% tags=["remove-output", "hide-input"]
lines = scores.curves(runs, "inpainting", FAMILY, **options)
axes = {"xlabel": "FAR", "ylabel": "SR", "xlim": (0, 0.3), "bands": []}
glue(
    "fig-ablation-curves",
    figures.curves(lines, **axes) if lines else figures.note(NONE),
)
gain = scores.differences(runs, "inpainting-10", LABELS, **options)
xlabel = "extended minus original, mean SR up to FAR 10 %"
glue(
    "fig-ablation-gain",
    figures.differences(gain, xlabel=xlabel) if gain else figures.note(NONE),
)

# %% [markdown]
# ```{glue:figure} fig-ablation-curves
# :name: fig-ablation-curves
# :alt: One panel for each network and dataset with six curves of success rate against false alarm rate, dashed for the original methods, full for the extended ones.
#
# Original (dashed) and extended (full, same colour) methods in the inpainting game, up to a FAR of 30 %. Bands are left out:
# the paired differences of {numref}`fig-ablation-gain` tell more.
# ```
#
# ```{glue:figure} fig-ablation-gain
# :name: fig-ablation-gain
# :alt: One panel for each network and dataset with three points and bars about a line at zero, one for each extended method minus its original.
#
# What the extension adds to each method: paired differences with 95 % intervals over identities. Filled: $p < 0.05$,
# not corrected.
# ```

# %%
names = ("sr-5", "inpainting-10", "inpainting")
tables = {
    scores.MEASURES[name].label.partition(": ")[2]: scores.differences(
        runs, name, LABELS, **options
    )
    for name in names
}
captioned(
    stacked({label: scores.table(found) for label, found in tables.items()}, "method"),
    "Extended less original in the inpainting game, with 95 % intervals.",
)

# %% [markdown]
# Extended minus original. And what gradient weighting adds to that, gweEBP minus each extended method, by mean SR up to
# FAR 10 %:

# %% tags=["hide-input"]
weighting = {extended: ("gweebp", extended) for extended, _ in EXTENDED}
captioned(
    frame(
        scores.table(scores.differences(runs, "inpainting-10", weighting, **options)),
        "method",
    ),
    "What gradient weighting adds to extended EBP: paired differences with 95 % intervals.",
)

# %% [markdown]
# ## What the numbers say
#
# The paper makes two claims here, and the rule of the [results chapter](results) judges them on the mean SR up to
# FAR 10 %. An improvement below {glue:text}`margin` is not noticeable.

# %% tags=["hide-input"]
glue("margin", f"{margin:g}", display=False)
judged = judge(
    of_build(runs), [c for c in CLAIMS if c.key in ("C5", "C6")], margin=margin
)
Markdown("\n".join(f"- *{j.deciding.sentence.words}*: {j.text}" for j in judged))

# %% [markdown]
# ## What would falsify it
#
# - *That negative responses matter on LCNN9*: extended and original methods alike, or the original ahead.
# - *That ReLU explains the null on VGG16*: a clear difference there, in spite of a first column of zeros in the table at the top of
#   this chapter.
# - *That gradient weighting is what makes gweEBP good*: a difference to the extended methods that the interval does not separate
#   from zero.
#
# ## Summary
#
# - The extension lets negative responses and weights take part. Each method is compared with its extended form on the same trials.
# - On VGG16 the two forms differ at the embedding alone, for ReLU leaves no negative response below it.
# - Gradient weighting is a second change; the last table shows what it adds to each extended method.
#
# ## Exercises
#
# **1.** Behind a ReLU, what is the share of negative responses at the saliency layer? Check it for VGG16 in the table above.

# %% tags=["hide-cell"]
# Answer: none; pool4 of VGG16 pools what a ReLU has passed.
behind_relu = [
    row["saliency layer"] for row in negative if row["run"].startswith("VGG16")
]
assert all(share == 0 for share in behind_relu)
print("shares on VGG16", behind_relu)

# %% [markdown]
# **2.** Are the maps of EBP and eEBP on the example the same? By how much of their mass do they differ?

# %% tags=["hide-cell"]
# Answer: half of the summed absolute difference is the mass that would have to move.
one, two = (maps[name] / maps[name].sum() for name in ("ebp", "eebp"))
moved = (one - two).abs().sum().item() / 2
assert 0 <= moved <= 1
print(f"{moved:.0%} of the mass")
