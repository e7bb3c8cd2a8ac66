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
# # Gradient weighting
#
# ```{admonition} What you will learn
# - how the gradient of the {term}`triplet gain` says which responses work for the mate *rather than* the non-mate;
# - gweEBP: extended EBP on responses that are weighted by that gradient, in one line;
# - what it costs: some of the probability is lost, and without a gain there is no map.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
seed = 0  # of the random weights and images
size = 64  # side of the images that the architecture reads, in pixels
triplets = 8  # random triplets to average over

# %% tags=["hide-input"]
import warnings

import numpy as np
import torch
from IPython.display import Markdown
from matplotlib_inline.backend_inline import set_matplotlib_formats
from myst_nb import glue
from torch import nn

import gweebp
from gweebp import figures, networks
from gweebp.excitation.gain import triplet_gain
from gweebp.experiment import layerwise
from gweebp.experiment.typical_face import typical_face
from gweebp.figures import by_depth, neurons

set_matplotlib_formats("svg")
np.set_printoptions(precision=3, suppress=True)
torch.set_printoptions(precision=3, sci_mode=False)

# %% tags=["hide-input", "remove-output"]
case = typical_face()
maps = case.maps("eebp", "ecebp", "gweebp")
notes = case.notes(maps)
glue("face", figures.quadruplet(*case.images, case.region, maps, notes=notes))

# %% [markdown]
# ```{glue:figure} face
# :name: fig-gw-face
# :alt: A sketch, its photo, and both again with other eyes, outlined; then the sketch under the maps of eEBP, ecEBP and gweEBP.
#
# The same face as in [the last chapter](extended_ebp), before gradient weighting (eEBP), with the non-mate's walk
# subtracted (ecEBP), and with gradient weighting (gweEBP); the average precision stands beside each name.
# ```

# %% tags=["hide-input"]
Markdown(case.in_words(maps))

# %% [markdown]
# [Extended excitation backprop](extended_ebp) follows what excited the decision. But excitation is not evidence: a
# neuron that responds to any face excites the row of the mate and the row of the non-mate alike. Which responses made
# the *difference*?
#
# The gradient of the decision tells us. gweEBP {cite:p}`wang2025gweebp` weights every response by it before the
# probability is shared out, and so needs one walk where the contrastive methods subtract two.
#
# ## The equations
#
# The {term}`triplet gain` says by how much the probe is nearer to its mate than to the non-mate. With $p$, $m$ and $n$ the
# unit embeddings of probe, mate and non-mate (the paper writes $a, p, n$),
#
# ```{math}
# :label: eq-5
# G_\text{tri}(p, m, n) = \max\left(0,\ \lVert p - n \rVert - \lVert p - m \rVert\right).
# ```
#
# Its gradient is taken at every response of the network, and the response replaced by
#
# ```{math}
# :label: eq-6
# \tilde a_j = \mathbf 1_{\hat a_j \ge 0}\, \hat a_j \left[ \frac{\partial G_\text{tri}}{\partial a_j} \right]^+
#   + \mathbf 1_{\hat a_j < 0}\, \hat a_j \left[ -\frac{\partial G_\text{tri}}{\partial a_j} \right]^+,
# \qquad [x]^+ = \max(0, x).
# ```
#
# In {eq}`eq-3` and {eq}`eq-4`, $\tilde a_j$ takes the place of $\hat a_j$. The sign of a *parent* stays that of its
# own response.
#
# In print the second bracket of {eq}`eq-6` lacks its $^+$. Without it a negative response with a positive gradient
# would become a positive one; the paper's text and the authors' code have the clamp, and so have we.
#
# ### In one line
#
# A positive response keeps its sign and is scaled by the positive part of its gradient, a negative one by the
# negative part. Both say: keep the response where it has the sign of its gradient, scaled by the gradient's size.
# Since $\hat a\,[g]^+ = [\hat a g]^+$ for $\hat a \ge 0$ and $\hat a\,[-g]^+ = -[\hat a g]^+$ for $\hat a < 0$,
#
# $$
# \tilde a = \operatorname{sign}(\hat a) \cdot \max\left(0,\ \hat a \odot \frac{\partial G_\text{tri}}{\partial a}\right).
# $$
#
# To first order, $\hat a\, \partial G / \partial a$ is the gain that is lost if the response is removed. What would
# be missed is kept, in proportion to how much; what stands in the way is set to zero.
#
# ## By hand: what three faces share
#
# Three pixels again, three linear hidden neurons, and an embedding of four dimensions, each of which has a part to
# play:
#
# | | probe | mate | non-mate | |
# |---|---|---|---|---|
# | $e_1$ | 8 | 8 | −8 | the non-mate differs |
# | $e_2$ | −6 | −6 | 6 | the non-mate differs, and the response is negative |
# | $e_3$ | 10 | 10 | 10 | all three agree |
# | $e_4$ | 5 | −5 | 5 | the mate differs |

# %%
pixels = np.array([1.0, 2.0, 1.0])
W1 = np.array([[1.0, 1.0, -1.0], [2.0, -1.0, -2.0], [3.0, 0.0, 2.0]])  # pixels → hidden
W2 = np.array(
    [[1.0, -3.0, 0.0], [-1.0, 2.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 1.0]]
)  # hidden → embedding
mate, nonmate = np.array([8.0, -6.0, 10.0, -5.0]), np.array([-8.0, 6.0, 10.0, 5.0])
W0 = np.array([mate, nonmate])  # the lengths of its rows, and of the embedding, are 15

hidden = W1 @ pixels
embedding = W2 @ hidden
print("hidden", hidden, " embedding", embedding, " cosines", W0 @ embedding / 15**2)

# %% tags=["hide-input", "remove-output"]
names = ["head", "emb.", "hidden", "pixels"]
toy = {"": ([W0 @ embedding, embedding, hidden, pixels], [W0, W2, W1])}
glue("toy", neurons(toy, names, numbered=True, columns=1))

# %% [markdown]
# ```{glue:figure} toy
# :name: fig-gw-forward
# :alt: Pixels 1, 2, 1; hidden 2, −2, 5; embedding 8, −6, 10, 5; head 175 for the mate and 25 for the non-mate.
#
# The forward pass: responses in the neurons, weights on the connections; the head's rows with their length of 15.
# ```
#
# **The gain.** The differences have nice lengths: the probe is $\tfrac{1}{15}(16, -12, 0, 0)$ away from the non-mate
# and $\tfrac{1}{15}(0, 0, 0, 10)$ from the mate. The gradient of a distance is its unit vector, so by the unit
# embedding the gain has the gradient $(\tfrac45, -\tfrac35, 0, 0) - (0, 0, 0, 1)$. The embedding is normalised before
# it is compared: what would change its length is taken out, and the rest divided by the length.

# %%
p, m, n = (e / 15 for e in (embedding, mate, nonmate))
gain = np.linalg.norm(p - n) - np.linalg.norm(p - m)
by_unit = (p - n) / np.linalg.norm(p - n) - (p - m) / np.linalg.norm(p - m)
gradient = [(by_unit - p * (p @ by_unit)) / 15]  # at the embedding
gradient += [gradient[-1] @ W2]  # at the hidden neurons
gradient += [gradient[-1] @ W1]  # at the pixels
print(f"gain {gain:.3f}")

works = [a * g for a, g in zip((embedding, hidden, pixels), gradient)]
for name, w in zip(names[1:], works):
    print(f"{name:6} â ∂G/∂a =", w, f" sum {round(w.sum(), 9) + 0.0:.3f}")

# %% [markdown]
# Two things to see. *Each row sums to 0.* The gain depends on the direction of the embedding only: a longer embedding
# gains nothing, and in a network without biases neither does a brighter image. So at every layer as much works for
# the triplet as against it, and {eq}`eq-6` keeps the one half and drops the other. And *$e_3$, on which all three
# agree, is among what works against*. That is no accident of the numbers. In a coordinate $k$ on which all three unit
# embeddings agree, both differences are zero and only the normalisation is left, $\partial G / \partial e_k = -p_k\,
# G / (2 \lVert e \rVert)$: always of the other sign than the response. What is common to the three faces brings the
# non-mate nearer, and is set to zero.

# %%
assert np.isclose(gradient[0][2], -p[2] * gain / 2 / 15, rtol=1e-12)

# %% [markdown]
# **The walk**, with $\hat a$ and with $\tilde a$ (the same line as in the last chapter):

# %%
weighted = [
    np.sign(a) * np.maximum(0, w) for a, w in zip((embedding, hidden, pixels), works)
]
walks, flows = {}, {}
for name, children in {
    "extended EBP": (embedding, hidden, pixels),
    "gweEBP": weighted,
}.items():
    walks[name], flows[name] = [np.array([1.0, 0.0])], []
    for W, child, parent in zip(
        (W0, W2, W1), children, (W0 @ embedding, embedding, hidden)
    ):
        x = np.maximum(0, np.sign(parent)[:, None] * W * child)
        share = x / np.maximum(x.sum(1, keepdims=True), 1e-300)
        flows[name].append(walks[name][-1][:, None] * share)
        walks[name].append(walks[name][-1] @ share)
    print(
        f"{name:12}",
        *walks[name][1:],
        " sums",
        *(round(w.sum(), 9) for w in walks[name]),
    )

# %% [markdown]
# Which of the two maps is right? Here it can be asked directly: set one pixel to zero, and see what is left of the
# gain.

# %%
direction, without = torch.tensor(np.stack([m, n])), {}
for place, pixel in zip(("left", "middle", "right"), np.eye(3)):
    e = torch.tensor(W2 @ W1 @ (pixels * (1 - pixel)))
    left = triplet_gain(e[None], direction[:1], direction[1:]).item()
    print(f"without the {place:6} pixel: gain {left:.3f}")
    without[place] = round(left, 3)

# %% tags=["remove-cell"]
for place, left in without.items():
    glue(f"without_{place}", left, display=False)

# %% tags=["hide-input", "remove-output"]
glue("before_after", neurons({k: (walks[k], flows[k]) for k in walks}, names))
glue("gain", f"{gain:.3f}", display=False)
before, after = walks["extended EBP"], walks["gweEBP"]
for name, p in {
    "shared": before[1][2:3],
    "before": before[-1],
    "after": after[-1],
}.items():
    glue(name, ", ".join(f"{x:.3f}" for x in p), display=False)

# %% [markdown]
# ```{glue:figure} before_after
# :name: fig-gw-walks
# :alt: Extended EBP gives the embedding .32, .18, .5, 0 and the pixels .347, .273, .38; gweEBP .703, .297, 0, 0 and 0, .769, .231.
#
# The walk towards the mate before and after gradient weighting, layer by layer: MWP in the neurons, flow as
# thickness.
# ```
#
# Extended EBP gives {glue:text}`shared` of the probability to $e_3$, which distinguishes no two of the faces, and ends with
# the pixels at {glue:text}`before`. gweEBP gives $e_3$ nothing and ends at {glue:text}`after`. Of the gain of
# {glue:text}`gain`, setting the left pixel to zero leaves {glue:text}`without_left`, which is *more*; without the
# middle one {glue:text}`without_middle` is left, without the right one {glue:text}`without_right`. gweEBP has that
# order; extended EBP puts the pixel that matters most last.
#
# ## From the library

# %%
net = nn.Sequential(
    nn.Conv2d(1, 3, (1, 3), bias=False), nn.Conv2d(3, 4, 1, bias=False), nn.Flatten()
).double()
net[0].weight.data = torch.tensor(W1).view(3, 1, 1, 3)
net[1].weight.data = torch.tensor(W2).view(4, 3, 1, 1)
triplet = torch.tensor(pixels).view(1, 1, 1, 3), direction[:1], direction[1:]

for name, by_hand in walks.items():
    for layer, expected in {"0": by_hand[2], "input": by_hand[3]}.items():
        found = gweebp.mwp(net, *triplet, layer=layer, weighted=name == "gweEBP")
        print(f"{name:12} {layer:5}", found.flatten())
        assert np.allclose(found.flatten(), expected, rtol=0, atol=1e-12)

net[1].weight.data *= 10  # a longer embedding points the same way: nothing changes
assert np.allclose(
    gweebp.mwp(net, *triplet, layer="input").flatten(),
    walks["gweEBP"][3],
    rtol=0,
    atol=1e-12,
)

# %% [markdown]
# ## No gain, no map
#
# {eq}`eq-5` has a hinge: a probe that is not nearer to its mate has no gain, the gradient is zero everywhere, and
# there is no choice of the mate to explain. The library then warns, names the place in the batch, and returns a map
# of zeros. (The authors' released code takes $\cos(p, m) - \cos(p, n)$ instead, which has no hinge: `gain="cosine"`.)
# With mate and non-mate exchanged, the cosine's map is what worked against the mate before:

# %%
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    exchanged = gweebp.mwp(net, triplet[0], triplet[2], triplet[1], layer="input")
    cosine = gweebp.mwp(
        net, triplet[0], triplet[2], triplet[1], layer="input", gain="cosine"
    )
print(*(f"{w.category.__name__}: {w.message}" for w in caught))
print("triplet gain:", exchanged.flatten(), " cosine:", cosine.flatten())

# %% [markdown]
# ## Lost mass
#
# Unweighted and without biases, a parent that holds probability has a child that excited it. With weighting it need
# not: the parent may work for the triplet while each child that excites it does more harm elsewhere, as a hidden neuron
# does that feeds both $e_1$, which tells mate from non-mate, and $e_4$, in which the mate differs. Its probability
# is then lost, and the library says how much, in a {class}`gweebp.LostMassWarning`.
# {func}`gweebp.explain` divides each map by its sum, so the map is still one of sum 1, of the part that arrived.
#
# ## Copies of a neuron
#
# Padding by reflection, a concatenation or a reshape puts one response in several places. It remains one neuron. Its
# $\partial G / \partial a$ is the sum over its copies, and all copies carry the same $\tilde a$; only the connections
# are several. Weighting each copy by its own part of the gradient would be another method. (The tests hold the library
# to a loop over neurons, on networks that copy them.)
#
# ## On an architecture
#
# How much is lost where a parent has dozens of children, as in any real layer? LCNN9 in three widths, with random
# weights, on images of noise; each mate is its probe with a little more noise, so that there is a gain. The call
# checks at every convolution what the toy showed: half works for the triplet, half against it. Random weights tell
# about the architecture, not about faces; the [ablation](ablation) shows the same on a trained network and a face.

# %%
generator = torch.Generator().manual_seed(seed)
probe, noise, other = torch.rand(
    3, triplets, 1, size, size, generator=generator, dtype=torch.float64
)
images = probe, probe + 0.1 * noise, other

lost, against = {}, []
for width in (1 / 32, 1 / 16, 1 / 4):
    net = networks.build(
        "lcnn9", seed=seed, width=width, size=size, embedding=64
    ).double()
    lost[f"width 1/{1 / width:.0f}"], worked_against = layerwise.lost_by_weighting(
        net, *images
    )
    against += worked_against.values()
for name, shares in lost.items():
    print(
        f"{name:10} lost:",
        ", ".join(f"{layer} {abs(share):.3f}" for layer, share in shares.items()),
    )

# %% tags=["hide-input", "remove-output"]
most = {name: max(shares.values()) for name, shares in lost.items()}
glue(
    "lost",
    by_depth(
        {"LCNN9": lost},
        xlabel="share of the probability lost",
        xlim=(0, max(most.values())),
        columns=1,
    ),
)
glue("least_against", f"{min(against):.0%}", display=False)
glue("most_against", f"{max(against):.0%}", display=False)
glue("narrow", f"{max(most.values()):.1%}", display=False)
glue("wide", f"{min(most.values()):.1%}", display=False)

# %% [markdown]
# ```{glue:figure} lost
# :name: fig-gw-lost
# :alt: The share lost grows from the embedding down to the image; it is largest in the narrowest network.
#
# What gradient weighting has lost at each layer of LCNN9 in three widths, from the embedding down to the image.
# ```
#
# Between {glue:text}`least_against` and {glue:text}`most_against` of what extended EBP finds at a layer sits on
# responses that work against the triplet, and is taken from them: on random weights, which know no face, as many as
# chance would have. At the first convolution {glue:text}`narrow` is lost in the narrowest network, where a parent
# has few children, and {glue:text}`wide` in the widest. The paper's networks are four times as wide.
#
# ## What it assumes
#
# - There is a gain: the network has decided for the mate.
# - The gradient at the probe says something about the decision. It is local: a response whose removal would change
#   the decision, because another neuron then wins a max-feature-map, is not seen.
# - A negative gradient is a reason to drop a response, not to count it against its place. A map therefore shows what
#   spoke for the mate, and is silent on what spoke for the non-mate.
#
# ## What would falsify it
#
# - In a network without biases, $\sum_j \hat a_j\, \partial G / \partial a_j = 0$ fails at some layer; the call on
#   LCNN9 raises if it does.
# - A map that changes with the length of the embeddings, or a map other than zero without a gain.
# - The order of the three pixels is right here, but a toy is made to be. That gweEBP ranks the parts of a face better
#   than the other methods is the paper's claim; the [hiding game](hiding_game) and the [inpainting
#   game](inpainting_game) test it, the second with a known answer.
#
# ## Summary
#
# - gweEBP keeps a response where it has the sign of its gradient, scaled by the gradient's size, and sets it to zero elsewhere.
# - The gain depends on the direction of the embedding alone. So at every layer of a network without biases, as much works for the triplet as against it.
# - What all three faces share works against the triplet, and is dropped.
# - Without a gain there is no map. With weighting, a parent may have no child left, and its probability is lost and reported.
#
# ## Exercises
#
# **1.** $e_4$ is positive for the probe and for the non-mate. Does gweEBP keep it? Say it from {eq}`eq-6` first.

# %% tags=["hide-cell"]
# Answer: no. More of e4 brings the non-mate nearer: its gradient is negative, its response positive.
assert embedding[3] > 0 > gradient[0][3] and weighted[0][3] == 0
print("response", embedding[3], " gradient", round(gradient[0][3], 3))

# %% [markdown]
# **2.** Make the mate equal to the probe. What is the gain then, and does $e_4$ still count?

# %% tags=["hide-cell"]
# Answer: the gain is the whole distance to the non-mate. Probe and non-mate agree in e4,
# so it works against the triplet, as e3 does.
p = embedding / 15
same = np.linalg.norm(p - n)
by_p = (p - n) / same
g = by_p - p * (p @ by_p)
assert p[3] * g[3] < 0 and p[2] * g[2] < 0
print(f"gain {same:.3f}", " â ∂G/∂a", p * g)

# %% [markdown]
# **3.** Double all pixels. By how much does the gain change?

# %% tags=["hide-cell"]
# Answer: not at all: without biases the embedding gets longer, and its direction stays.
longer = W2 @ W1 @ (2 * pixels)
q = longer / np.linalg.norm(longer)
assert np.isclose(np.linalg.norm(q - n) - np.linalg.norm(q - m), gain)
print(f"gain {np.linalg.norm(q - n) - np.linalg.norm(q - m):.3f}")
