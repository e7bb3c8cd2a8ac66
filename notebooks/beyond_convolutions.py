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
# # Beyond convolutions
#
# ```{admonition} What you will learn
# - how excitation backprop passes a residual addition, a norm, a gate, an attention and a recurrent cell, by the same equations;
# - what gweEBP finds in a residual, a gated and an attentive network, beside the methods that people use there;
# - how raw attention, attention rollout and gradient-weighted rollout work, and what they do not see.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
build = "_build/book"  # the folder of the results
further = (
    "iresnet18,iresnet18se,vit"  # the networks of other kinds, separated by commas
)
further_datasets = "synthetic-drawn"  # their datasets, separated by commas
resamples = 2000  # bootstrap resamples behind each interval
seed = 0  # of the bootstrap

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from myst_nb import glue
from torch import nn

import gweebp
from gweebp import figures
from gweebp.experiment import agreement, kinds, network_quality, scores, typical_cases
from gweebp.experiment.build import open_runs

np.set_printoptions(precision=3, suppress=True)
torch.set_printoptions(precision=3, sci_mode=False)

# %% tags=["hide-input", "remove-output"]
runs = open_runs(build, further_datasets, further)
played = [run for run in runs if run.games.inpainting]
SHOWN = ("gradient-input", "rollout", "gradient-rollout", "gweebp")
attentive = [run for run in played if "rollout" in run.games.inpainting]
picture = figures.note("no quadruplets in this profile")
if shown := (attentive or played)[:1]:
    row = typical_cases.index(shown[0], "inpainting", "gweebp", typical_cases.TYPICAL)
    four, found = shown[0].quadruplet(row), agreement.maps_of(shown[0], "inpainting")
    known = agreement.truth_scores(shown[0])
    maps = {name: found[name][row] for name in SHOWN if name in found}
    notes = {name: f"{known[name]['precision'][row]:.2f}" for name in maps}
    images = (four.op[0], four.om[0], four.ip[0], four.in_[0])
    picture = figures.quadruplet(*images, four.region[0], maps, notes=notes)
glue("fig-face", picture)

# %% [markdown]
# ```{glue:figure} fig-face
# :name: fig-beyond-face
# :alt: A sketch and its photo, both again with one part exchanged and outlined, then the sketch under the maps of four methods.
#
# The typical quadruplet of the network with attention. Beside each name stands the {term}`average precision` of its map against the
# outlined part.
# ```
#
# Is gweEBP the better map there too? By average precision, with intervals over people:

# %% tags=["hide-input"]
Markdown(
    "\n".join(
        f"- {kinds.in_words(run, 'precision', resamples=resamples)}" for run in runs
    )
)

# %% [markdown]
# The paper explains two chains of convolutions, and names other architectures as future work. Today's face networks add what they
# computed before, normalise it, gate it, or let patches attend to each other. Does the method carry over, and is it still worth its price?
#
# ## The networks
#
# Three small ones, trained on the same faces as those of the other chapters, each with the recipe that recognised the
# *validation* people best for its time; no map was looked at for that choice:
#
# - **IResNet-18** {cite:p}`duta2020iresnet`, the residual network of ArcFace: each block is added to its input;
# - **IResNet-18 SE**, the same with a gate in each block, squeeze and excitation {cite:p}`hu2018se`;
# - **ViT** {cite:p}`dosovitskiy2021vit`, a small vision transformer: patches as tokens, attention between them, their mean as the
#   embedding.

# %% tags=["hide-input"]
pd.DataFrame(
    {
        run.title: {
            f"rank-{k}": scores.with_interval(rate, 2)
            for k, rate in network_quality.identification_rates(run).items()
            if k <= 10
        }
        | {
            "validation rank-1": f"{run.training['rank1']:.2f}",
            "triplets": len(run.trials["hiding"]["probe"]),
            "quadruplets": len(run.trials["inpainting"]["qualified"]),
            "layer": run.net.saliency_layer,
            "cells": " × ".join(map(str, kinds.cells(run))),
        }
        for run in runs
    }
).T

# %% [markdown]
# ## What was found
#
# Where the true region is known, three scores need no game ([which game is right](which_game)); then the two games. Dotted: the
# random order.

# %% tags=["hide-input", "remove-output"]
options = {"resamples": resamples, "seed": seed}
for name in ("precision", "pointing", "inpainting-10", "hiding"):
    values = kinds.estimates(runs, name, **options)
    glue(
        f"fig-{name}",
        figures.forest(values, xlabel=kinds.named(name))
        if values
        else figures.note("not measured in this profile"),
    )

# %% [markdown]
# ```{glue:figure} fig-precision
# :name: fig-beyond-precision
# :alt: One panel for each network; a point with a bar for each method, the average precision of its maps.
#
# Average precision against the exchanged part, with 95 % intervals over people.
# ```
#
# ```{glue:figure} fig-pointing
# :name: fig-beyond-pointing
# :alt: One panel for each network; a point with a bar for each method, how often its maximum lies inside.
#
# How often the maximum lies inside the exchanged part.
# ```
#
# ```{glue:figure} fig-inpainting-10
# :name: fig-beyond-inpainting
# :alt: One panel for each network; a point with a bar for each method, its figure in the inpainting game.
#
# Inpainting game.
# ```
#
# ```{glue:figure} fig-hiding
# :name: fig-beyond-hiding
# :alt: One panel for each network; a point with a bar for each method, its area in the hiding game.
#
# Hiding game.
# ```
#
# In words, gweEBP beside each other method; in brackets the difference, gweEBP minus the other, and its interval:

# %% tags=["hide-input"]
Markdown(
    "\n".join(
        f"- {kinds.in_words(run, name, resamples=resamples)}"
        for run in runs
        for name in ("pointing", "inpainting-10", "hiding")
    )
)

# %% [markdown]
# These comparisons are many, and their intervals are not corrected for it. There is one training of each network: another may
# give another order ([training](training)).
#
# ## The rules
#
# {eq}`eq-1` to {eq}`eq-4` say how a parent $a_i = \sum_j w_{ji}\, \hat a_j$ shares its probability among its children. All that
# follows is one question: what are the weights $w_{ji}$, and who is a child?
#
# **A residual addition**, $y = x + f(x)$, is a parent with two children, each of weight 1. Nothing new.
#
# **A norm**, $y = (x - \bar x)/s$, is two steps. Subtracting the mean over $n$ numbers is a sum with the weights
#
# ```{math}
# :label: eq-centring
# W = I - \tfrac1n \mathbf 1 \mathbf 1^\top ,
# ```
#
# to which {eq}`eq-3` and {eq}`eq-4` apply. The division by $s$ scales each number by the same factor, has one child per parent, and
# passes the probability on. If the whole norm passed it on, probability would land on responses of zero, which only the mean made
# different from zero.
#
# **A gate**, $y = x \cdot g$ with $g$ a sigmoid, says how much of the signal goes on. The signal is the child, and $g$ its weight. For a
# product of two signals that are alike each gets half: the Shapley value of a product, from a baseline of zero.
#
# **Attention**, $O = A V$ with $A = \operatorname{softmax}(Q K^\top / \sqrt d)$, is a sum of values with the weights $A_{ij} \ge 0$:
#
# ```{math}
# :label: eq-attention
# P(V_{jd} \mid O_{id}) \propto A_{ij}\, \hat V_{jd}
# ```
#
# among the values of the sign that {eq}`eq-3` and {eq}`eq-4` ask for. Queries and keys get no probability: they decide where to look, not what is there. But they have a gradient, and what they have in common
# with the values is weighted by all of it: {eq}`eq-6` takes the true $\partial G/\partial a$, through the softmax too.
#
# **A recurrent cell**, $c_t = f_t\, c_{t-1} + i_t\, g_t$, is a parent with two children and gates as weights. Unrolled over the steps it is
# a deep network, of which each step reads another part of the image.
#
# ### By hand: two tokens
#
# Two tokens of two channels, (1, 2) and (0, 4). Queries, keys and values are the tokens themselves; the scores are the products of the
# first channel, times $\ln 3$:

# %%
tokens = np.array([[1.0, 2.0], [0.0, 4.0]])
attention = np.exp(np.log(3) * np.outer(tokens[:, 0], tokens[:, 0]))
attention /= attention.sum(1, keepdims=True)
output = attention @ tokens
print("attention", *attention, " output", *output)

# %% [markdown]
# Let the embedding be the first token's output, and the mate (0, 1): the walk starts with all probability on its second channel, which is
# a sum of two values, $\tfrac34 \cdot 2$ and $\tfrac14 \cdot 4$.

# %%
parts = attention[0] * tokens[:, 1]
walk = parts / parts.sum()
print("children", parts, " probability", walk)

# %% [markdown]
# Raw attention would have said ¾ and ¼: it does not see that the second token has more to say. The library, on a network that computes
# the same:


# %%
class TwoTokens(nn.Module):
    """Attention between the two pixels of an image (b, 2, 1, 2), which are tokens."""

    def forward(self, image):
        x = image.flatten(2).transpose(1, 2)
        scores = x[..., :1] @ x[..., :1].transpose(1, 2) * np.log(3)
        return (scores.softmax(-1) @ x)[:, 0]


image = torch.tensor(tokens.T).reshape(1, 2, 1, 2)
mate, nonmate = torch.eye(2, dtype=torch.float64).flip(0).split(1)
by_library = gweebp.mwp(
    TwoTokens(), image, mate, nonmate, layer="input", weighted=False
)
print(by_library[0, 1, 0])
assert np.allclose(by_library[0, 1, 0], walk, rtol=0, atol=1e-12)

# %% [markdown]
# With gradient weighting the children are $A_{1j}\, \tilde V_{j}$. The gradient is that of the whole network, by autograd:

# %%
from gweebp.excitation.gain import triplet_gain, weight_by_gradient

leaf = image.clone().requires_grad_()
triplet_gain(TwoTokens()(leaf), mate, nonmate).sum().backward()
weighted = weight_by_gradient(image, leaf.grad)[0, 1, 0].numpy() * attention[0]
print("weighted children", weighted, " probability", weighted / weighted.sum())
by_library = gweebp.mwp(TwoTokens(), image, mate, nonmate, layer="input")
assert np.allclose(by_library[0, 1, 0], weighted / weighted.sum(), rtol=0, atol=1e-12)

# %% [markdown]
# ### By hand: a norm
#
# Three numbers 1, 2, 6 with mean 3. The first output is negative, $\tfrac23 \cdot 1 - \tfrac13 \cdot 2 - \tfrac13 \cdot 6 = -2$: by
# {eq}`eq-4` its negative children share it, 2 and 6, and the 1 that stands against it gets nothing.

# %%
x = np.array([1.0, 2.0, 6.0])
children = (np.eye(3) - 1 / 3)[0] * x
negative = np.minimum(children, 0) / np.minimum(children, 0).sum()
print("children", children, " probability", negative)

net = nn.Sequential(nn.Flatten(), nn.LayerNorm(3, elementwise_affine=False))
mate, nonmate = torch.tensor([[[-1.0, 0, 0]], [[0, 1.0, 0]]], dtype=torch.float64)
by_library = gweebp.mwp(
    net,
    torch.tensor(x).view(1, 1, 1, 3),
    mate,
    nonmate,
    layer="input",
    weighted=False,
)
assert np.allclose(by_library.flatten(), negative, rtol=0, atol=1e-12)

# %% [markdown]
# ### By hand: a gate
#
# Two alike pixels, 2 and 2, behind gates that they set themselves, $g = \sigma(\pm \tfrac12 \ln 3 \cdot x)$, which makes ¾ and ¼. The
# first number of the embedding is the sum $g_1 x_1 + g_2 x_2 = 1.5 + 0.5$. The pixels share its probability as signals; as what sets a
# gate they get none.

# %%
pixels = np.array([2.0, 2.0])
gates = 1 / (1 + np.exp(-np.log(3) * np.array([0.5, -0.5]) * pixels))
shares = gates * pixels / (gates * pixels).sum()
print("children", gates * pixels, " probability", shares)


class OwnGates(nn.Module):
    """Two pixels of an image (b, 1, 1, 2) behind gates: their sum, and the second."""

    def forward(self, image):
        x = image.flatten(1)
        y = x * (np.log(3) * x.new_tensor([0.5, -0.5]) * x).sigmoid()
        return torch.stack([y.sum(1), y[:, 1]], 1)


pair = torch.tensor(pixels).view(1, 1, 1, 2)
mate, nonmate = torch.eye(2, dtype=torch.float64).split(1)
by_library = gweebp.mwp(OwnGates(), pair, mate, nonmate, layer="input", weighted=False)
assert np.allclose(by_library.flatten(), shares, rtol=0, atol=1e-12)

# %% [markdown]
# The gradient goes through the gates too. More of the first pixel would raise the gain, more of the second would lower it: with gradient
# weighting the first pixel gets everything.

# %%
leaf = pair.clone().requires_grad_()
triplet_gain(OwnGates()(leaf), mate, nonmate).sum().backward()
weighted = weight_by_gradient(pair, leaf.grad).flatten().numpy() * gates
print("gradient", leaf.grad.flatten().numpy(), " weighted children", weighted)
by_library = gweebp.mwp(OwnGates(), pair, mate, nonmate, layer="input")
assert np.allclose(by_library.flatten(), weighted / weighted.sum(), rtol=0, atol=1e-12)

# %% [markdown]
# ### By hand: a recurrent cell
#
# An image of two rows, 3 and 2, read one after the other: $h_1 = 3$, $h_2 = 2 + \tfrac12 h_1$. The last state is $3.5$, of which 2 came with
# the second row and $1.5$ from the state before.

# %%
recurrent = nn.RNN(1, 1, nonlinearity="relu", bias=False, batch_first=True).double()
with torch.no_grad():
    recurrent.weight_ih_l0.fill_(1.0)
    recurrent.weight_hh_l0.fill_(0.5)


class Rows(nn.Module):
    """The last state of a cell that reads an image (b, 1, 2, 1) row by row, and 0."""

    def __init__(self):
        super().__init__()
        self.cell = recurrent

    def forward(self, image):
        h = self.cell(image[:, 0])[0][:, -1]
        return torch.cat([h, 0 * h], 1)


rows = torch.tensor([3.0, 2.0], dtype=torch.float64).view(1, 1, 2, 1)
mate, nonmate = torch.eye(2, dtype=torch.float64).split(1)
by_library = gweebp.mwp(Rows(), rows, mate, nonmate, layer="input", weighted=False)
print(by_library.flatten())
assert np.allclose(by_library.flatten(), [1.5 / 3.5, 2 / 3.5], rtol=0, atol=1e-12)

# %% [markdown]
# ## What reads attention alone
#
# A transformer shows its attention, so people look at it. With $A_l$ the attention of block $l$, the mean over its heads, and the
# map read from the tokens that the embedding is made of:
#
# - **raw attention**: $A_L$ of the last block;
# - **rollout** {cite:p}`abnar2020`: $\bar A_L \cdots \bar A_1$ with $\bar A = (A + I)/2$, the identity for the residual addition;
# - **gradient rollout** {cite:p}`chefer2021`: $R \leftarrow R + \bar A_l R$ with $\bar A_l = \mathbb E_h\,[A_l \odot \partial G/\partial A_l]^+$,
#   here with the triplet gain in place of a class score.
#
# Raw attention and rollout read no triplet: they give one map per probe, whoever it is compared with. None of the three reads the values.
# By hand, on the two tokens: $\bar A$ has the first row (⅞, ⅛).

# %%
by_hand = (attention[0] + np.array([1.0, 0.0])) / 2
found = {
    method: gweebp.explain(
        TwoTokens(), image, *torch.eye(2, dtype=torch.float64).flip(0).split(1),
        method=method, layer="input",
    ).flatten().numpy()
    for method in ("attention", "rollout", "gweebp")
}  # fmt: skip
for method, saliency in found.items():
    print(f"{method:10}", saliency)
assert np.allclose(found["rollout"], by_hand, rtol=0, atol=1e-12)
assert np.allclose(found["attention"], attention[0], rtol=0, atol=1e-12)

# %% [markdown]
# ## What it assumes
#
# - A gate is a weight. That the gate itself opened because of something in the image is not shown; half for each factor would show it, and
#   would be another method.
# - The softmax is a weight too: *why* a token is attended to is in the gradient of {eq}`eq-6`, and only there.
# - A map of a transformer is read at the patch embedding, before tokens mix. Further up, much of the probability lies on tokens that are no
#   place of the image.
#
# ## What would falsify it
#
# - A rule that differs from a loop over neurons, one by one: the tests hold each rule to such a loop, and probability is conserved on random
#   graphs of operations.
# - That gweEBP is the better map beyond convolutions: the first list of this page says where it is, where it is not, and where these
#   trials can't tell.
#
# ## Summary
#
# - One question answers all architectures: what are the weights, and who is a child? Norms subtract a mean, gates and attention are weights, recurrent
#   cells are unrolled.
# - Attention rollout and raw attention see where a network looks, not what it finds there, and know nothing of the non-mate.
# - Whether a better rule makes a better map is measured, not derived: see the tables above, and expect other methods to win some of them.
#
# ## Exercises
#
# **1.** Give the second token the value (0, 2) instead of (0, 4). What are the two probabilities? Say it first.

# %% tags=["hide-cell"]
# Answer: both values are then 2, and the probability is that of the attention: 3/4 and 1/4.
same = torch.tensor([[1.0, 0.0], [2.0, 2.0]], dtype=torch.float64).reshape(1, 2, 1, 2)
mate, nonmate = torch.eye(2, dtype=torch.float64).flip(0).split(1)
p = gweebp.mwp(TwoTokens(), same, mate, nonmate, layer="input", weighted=False)
assert np.allclose(p[0, 1, 0], [0.75, 0.25], rtol=0, atol=1e-12)
print(p[0, 1, 0])

# %% [markdown]
# **2.** A gate multiplies all channels by ½. What does it change in the map of eEBP?


# %% tags=["hide-cell"]
# Answer: nothing. It is one factor of all children's weights, and the shares are quotients.
class Gated(TwoTokens):
    def forward(self, image):
        return super().forward(image * torch.sigmoid(0 * image.sum()))


p = gweebp.mwp(Gated(), image, mate, nonmate, layer="input", weighted=False)
halved = gweebp.mwp(
    TwoTokens(), image / 2, mate, nonmate, layer="input", weighted=False
)
assert np.allclose(p, halved, rtol=0, atol=1e-12)
print(p[0, 1, 0])

# %% [markdown]
# **3.** Exchange mate and non-mate. Which of the maps of rollout and gweEBP changes?

# %% tags=["hide-cell"]
# Answer: that of gweEBP alone; without a gain it is zero. Rollout does not read the triplet.
exchanged = gweebp.explain(
    TwoTokens(), image, nonmate, mate, method="rollout", layer="input"
)
assert np.allclose(exchanged.flatten(), found["rollout"], rtol=0, atol=1e-12)
print(exchanged.flatten())
