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
# # What a map costs
#
# ```{admonition} What you will learn
# - the least that a saliency map can cost, in forward passes;
# - the closed form of extended EBP: two products in place of four;
# - where the closed form loses digits, and what the library then does.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
width = 0.5  # of the networks whose operations are counted here
seed = 1  # of their weights and images

# %% tags=["hide-input"]
import warnings

import numpy as np
import torch
from IPython.display import Markdown
from myst_nb import glue

from gweebp import explain, figures, networks
from gweebp.experiment import speed
from gweebp.experiment.cost import cost
from gweebp.experiment.tables import captioned, frame, stacked
from gweebp.experiment.typical_face import typical_face
from gweebp.figures import style_of
from gweebp.methods import METHODS

# %% tags=["hide-input", "remove-output"]
case = typical_face()
maps = case.maps("gradcam", "ebp", "ecebp", "gweebp")
probe, *others = case.triplet
with torch.no_grad():
    mate_, nonmate_ = (case.net(x) for x in others)
once = cost(lambda: case.net(probe).detach()).flops
notes = {}
for name in maps:
    asked = cost(
        lambda name=name: explain(case.net, probe, mate_, nonmate_, method=name)
    )
    notes[name] = f"{asked.flops / once:.2f}×"
glue("face", figures.quadruplet(*case.images, case.region, maps, notes=notes))

# %% [markdown]
# ```{glue:figure} face
# :name: fig-speed-face
# :alt: A sketch, its photo, and both again with other eyes, outlined; then the sketch under the maps of Grad-CAM, EBP, ecEBP and gweEBP, each with its cost beside its name.
#
# The face of the theory chapters under four methods. Beside each name stands what the map costs, in multiplications, as a multiple of one
# forward pass of the probe; the embeddings of mate and non-mate are given.
# ```
#
# Not every decision can be explained if one map costs a thousand forward passes. What is the least that a map can cost, and how near to
# it is this package?
#
# Every explanation needs one forward pass of the probe. White-box maps need, on top of it, some passes over the part
# above the saliency layer, and nothing else. With $u$ the share of the multiplications that lies there, a map
# costs $1 + k u$ forward passes, and the methods differ in $k$:
#
# | | parents' excitations, $1/Z$ | ways back | $k$ |
# |---|---|---|---|
# | EBP | 1, through $W^+$ | 1 | 2 |
# | contrastive EBP | the same, once for both priors | 2 | 3 |
# | extended EBP, as written | 4: $a^\pm$ through $W^\pm$ | 4 | 8 |
# | extended EBP, in closed form | 1: $\vert W \vert\,\vert a \vert$ | 2 | 3 |
# | contrastive extended EBP, in closed form | 1 | 4 | 5 |
# | gweEBP, in closed form | 2, and 1 for the gradient | 2 | 5 |
#
# Where there is no negative response, as behind a ReLU, the extended forms need no more than EBP.
#
# ## The closed form
#
# For a connection's product $wa$, $\max(0, wa) = (wa + |wa|)/2$. Summed over the children of a parent, with
# $y = Wa$ (without bias) and $\pm$ the parent's sign, the two cases of extended excitation backprop {eq}`eq-3` and
# {eq}`eq-4` become
#
# ```{math}
# :label: eq-closed
# \frac{1}{Z_i} = \frac{y_i \pm (|W|\,|a|)_i}{2}, \qquad
# P(a_j) = \frac{a_j\,(W^\top s)_j + |a_j|\,(|W|^\top (\pm s))_j}{2}, \qquad s_i = P(a_i)\, Z_i .
# ```
#
# Two products instead of four, and without gradient weighting $y$ is what the network has just computed, less its bias.
#
# ## By hand
#
# Three children of both signs, a parent that is positive and one that is negative, each with half of the probability:

# %%
a = np.array([2.0, -1.0, 1.0])
W = np.array([[1.0, -2.0, -1.0], [-1.0, -1.0, -1.0]])
P = np.array([0.5, 0.5])
y, sign = W @ a, np.sign(W @ a)
print("y", y)

# %% [markdown]
# As written, child by child: the products that excite have the parent's sign, and each is divided by their sum.

# %%
products = W * a
excitatory = np.where(products * sign[:, None] > 0, products, 0)
written = (P[:, None] * excitatory / excitatory.sum(1, keepdims=True)).sum(0)
print("P of the children", written.round(4), " sum", round(written.sum(), 12))

# %% [markdown]
# In closed form, without looking at a single product:

# %%
total = (y + sign * (np.abs(W) @ np.abs(a))) / 2
s = P / total
closed = (a * (W.T @ s) + np.abs(a) * (np.abs(W).T @ (sign * s))) / 2
assert np.allclose(closed, written)
print("1/Z", total, " P of the children", closed.round(4))

# %% [markdown]
# ## Where the closed form loses precision
#
# The sum in {eq}`eq-closed` cancels. A parent whose children all inhibit it, alive by its bias, has $1/Z = 0$: its
# probability is lost, and reported. In floating point the two terms differ in their last digit, and the parent seems to have
# children after all:

# %%
weights, child, bias = (
    np.float32([-0.1, -0.3, -0.7]),
    np.float32([0.3, 1.1, 0.9]),
    np.float32(3),
)
output, magnitude = bias, np.float32(0)
for w, x in zip(weights, child):
    output, magnitude = output + w * x, magnitude + abs(w) * x
print(
    f"exactly 0; from the output less its bias: {((output - bias) + magnitude) / 2:.0e}"
)

# %% [markdown]
# So the library uses the closed form for an operation only if all its parents satisfy $|1/Z| \ge (|W||a| + |b|)/16$; otherwise it
# computes the four products. At most four binary digits are lost; tests hold the maps to the literal loop over the equations.
# The check is made once before the backward walk and costs two GPU synchronisations; the walk itself needs none.
#
# ## Counted, here and now
#
# Multiplications of one map to the saliency layer over those of the plain forward pass, and calls of convolutions, on networks of random
# weights. An operation that goes in four products, as one with few children may, shows as six calls more:

# %% tags=["hide-input"]
white = ["ebp", "cebp", "tcebp", "eebp", "ecebp", "etcebp", "gweebp", "gradcam"]
found = {}
for name in ("lcnn9", "vgg16"):
    net = networks.build(name, seed=seed, width=width).eval().requires_grad_(False)
    images = torch.rand(
        3,
        1,
        net.channels,
        net.size,
        net.size,
        generator=torch.Generator().manual_seed(seed),
    )
    with torch.no_grad():
        p, m, n = net(images.flatten(0, 1)).chunk(3)
    plain = cost(lambda net=net, images=images: net(images[0]).detach())
    mate, nonmate = p + 0.1 * (m - p), p - 4 * (m - p)  # surely nearer to its mate
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found[name] = {
            method: cost(
                lambda net=net, e=(mate, nonmate), x=images[0], k=method: explain(
                    net, x, *e, method=k
                )
            )
            for method in white
        }
    found[name]["forward"] = plain
captioned(
    frame(
        [
            {
                "method": style_of(method).label if method in METHODS else method,
                **{
                    name: f"{c[method].flops / c['forward'].flops:.2f}"
                    for name, c in found.items()
                },
                **{
                    f"{name}, convolutions": str(c[method].convolutions)
                    for name, c in found.items()
                },
            }
            for method in ["forward", *white]
        ],
        "method",
    ),
    "Multiplications of a map, in forward passes, and convolutions called.",
)

# %% tags=["hide-input", "remove-output"]
result = speed.measured()
shown = [
    r
    for r in result["rows"]
    if r["measure"] == "time ÷ forward" and r["topic"].startswith("lcnn9")
]
styles = {r["what"]: style_of(r["what"]) for r in shown if r["what"] in METHODS}
labels = {
    r["what"]: styles[r["what"]].label if r["what"] in styles else r["what"]
    for r in shown
}
glue(
    "fig-speed-time",
    figures.bars(
        {labels[r["what"]]: 100 * r["value"] for r in shown},
        xlabel="time, % of a forward pass",
        colours={style.label: style.color for style in styles.values()},
    ),
)

# %% [markdown]
# ## Measured
#
# `make bench` measures times on the machine it runs on: medians of ratios to the forward pass of the same round, weights frozen,
# the embeddings of mate and non-mate given, batches of 8. The figures below were measured on

# %% tags=["hide-input"]
Markdown(f"{speed.where(result)}.")

# %% [markdown]
# ```{glue:figure} fig-speed-time
# :name: fig-speed-time
# :alt: Horizontal bars, one for each white-box method on LCNN9, its time in per cent of one forward pass, and one for a forward and a backward pass.
#
# LCNN9 at 128², to the saliency layer: time of a map, in per cent of the probe's own forward pass.
# ```

# %% tags=["hide-input"]
captioned(
    stacked(speed.tables(result), "what"),
    "Every measurement.",
)

# %% [markdown]
# ## What stands in the way
#
# Outside their targets are

# %% tags=["hide-input"]
Markdown("\n".join(f"- {line}" for line in speed.missed(result["rows"])) or "- none.")

# %% [markdown]
# Where the counts meet their targets and the times do not, the difference is not arithmetic. Work element by element on responses
# (signs, shares, the winners of max-feature-maps) reads and writes memory at every operation, and weighs more where convolutions are small; on VGG16 each map also reads the many weights under the embedding once for each pass,
# which one image alone pays in full. The rows on where the time goes say how much. A black-box method spends nearly all of
# its time in the network's own forward passes, and so does a peer: with as many masks, neither can be much faster than the other.
# Ratios taken on a machine that others use are uncertain; operations and memory are counted, and are not.
#
# ## What would falsify it
#
# A count above that fails its test in `tests/experiment/test_cost.py`, or a `make bench` on a quiet machine that finds other ratios.
#
# ## Summary
#
# - A map costs one forward pass and a few passes over the part above the saliency layer.
# - In closed form, extended EBP needs one product with $|W|$ and $|a|$ and two ways back, where the equations as written need eight.
# - The sum of the closed form may cancel. The library checks it once, and computes four products where it does.
# - Times depend on the machine; operations do not.
#
# ## Exercises
#
# **1.** All responses and weights are positive. What does the closed form become?

# %% tags=["hide-cell"]
# Answer: plain EBP: y = |W||a|, so 1/Z is Wa.
positive, child = np.abs(W), np.abs(a)
total = (positive @ child + positive @ child) / 2
assert np.allclose(total, positive @ child)
print("1/Z", total)

# %% [markdown]
# **2.** By how much must $|1/Z|$ exceed rounding for the library to use the closed form? Express it in binary digits that may be lost.

# %% tags=["hide-cell"]
# Answer: 1/Z is at least a sixteenth of what it is the difference of: four binary digits.
from gweebp.excitation import closed_form

digits = np.log2(1 / closed_form.CONDITION)
assert digits == 4
print("binary digits", digits)
