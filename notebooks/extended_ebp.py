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
# # Extended excitation backprop
#
# ```{admonition} What you will learn
# - what a negative response is worth to a decision, and the four kinds of connection that excite;
# - why extended EBP gives the same map when a neuron is turned over, and EBP does not;
# - how much of the excitation EBP ignores, layer by layer, in LCNN9 and in VGG16.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
seed = 0  # of the random weights and images
size = 64  # side of the images that the two architectures read, in pixels
triplets = 4  # random images to average over

# %% tags=["hide-input"]
import numpy as np
import torch
from IPython.display import Markdown
from matplotlib_inline.backend_inline import set_matplotlib_formats
from myst_nb import glue
from torch import nn

import gweebp
from gweebp import figures, networks
from gweebp.experiment import layerwise
from gweebp.experiment.typical_face import typical_face
from gweebp.figures import by_depth, neurons

set_matplotlib_formats("svg")
np.set_printoptions(precision=4, suppress=True)
torch.set_printoptions(precision=4, sci_mode=False)

# %% tags=["hide-input", "remove-output"]
case = typical_face()
maps = case.maps("ebp", "eebp", "cebp", "ecebp")
notes = case.notes(maps)
glue("face", figures.quadruplet(*case.images, case.region, maps, notes=notes))

# %% [markdown]
# ```{glue:figure} face
# :name: fig-eebp-face
# :alt: A sketch, its photo, and both again with other eyes, outlined; then the sketch under the maps of EBP, eEBP, cEBP and ecEBP.
#
# The same face as in [the last chapter](excitation_backprop). Each method of the family, then its extended form, with
# the average precision against the outlined part.
# ```

# %% tags=["hide-input"]
Markdown(case.in_words(maps))

# %% [markdown]
# [Excitation backprop](excitation_backprop) knows positive responses and positive weights. Behind a ReLU nothing is
# lost by that, but not every response is behind one:
#
# - LCNN9 {cite:p}`wu2018lightcnn` has no ReLU at all. Its {term}`max-feature-map` (MFM) keeps the larger of two responses,
#   and where both are negative, the larger one is negative too.
# - An embedding is the output of a linear layer in almost every network. Probe and mate are alike in a coordinate
#   where both are negative as much as where both are positive.
#
# What is a negative response worth to the decision, and how much of the excitation does EBP not see?
#
# ## The equations
#
# A child excites a positive parent when response and weight have the same sign: their product pushes the parent up.
# It excites a *negative* parent when the signs differ: the product pushes it further down. So there are four kinds of
# excitatory connection instead of one. {cite:t}`wang2025gweebp` collect them by the parent's sign. With $w^+ =
# \max(0, w)$, $w^- = \min(0, w)$ and $\Theta^+, \Theta^-$ the positive and negative neurons of the layer above, a
# child gets from its positive parents
#
# ```{math}
# :label: eq-3
# P^+(a_j) = \sum_{a_i \in \mathcal P_j \cap \Theta^+} Z^+_i P(a_i)
#   \left( \mathbf 1_{\hat a_j \ge 0}\, w^+_{ji} \hat a_j + \mathbf 1_{\hat a_j < 0}\, w^-_{ji} \hat a_j \right)
# ```
#
# and from its negative parents
#
# ```{math}
# :label: eq-4
# P^-(a_j) = \sum_{a_i \in \mathcal P_j \cap \Theta^-} Z^-_i P(a_i)
#   \left( \mathbf 1_{\hat a_j \ge 0}\, w^-_{ji} \hat a_j + \mathbf 1_{\hat a_j < 0}\, w^+_{ji} \hat a_j \right),
# ```
#
# and $P(a_j) = P^+(a_j) + P^-(a_j)$. $Z^+_i$ and $Z^-_i$ are one over the sum, over all children of the parent, of
# what stands in the brackets. For a negative parent that sum is negative, and so is each term: the shares are
# positive again.
#
# With $\sigma_i$ the sign of the parent's own response, all four kinds are one expression: the child excites by
#
# $$
# x_{ji} = \max(0,\ \sigma_i\, w_{ji}\, \hat a_j), \qquad P(a_j \mid a_i) = x_{ji} \Big/ \sum_k x_{ki}.
# $$
#
# The sign $\sigma_i$ is that of the response with its bias; the bias is no child and gets nothing.
#
# ## By hand: one sign turned
#
# The three-pixel network of the last chapter, with the second hidden neuron and the second dimension of the embedding
# turned over: every weight into and out of them has the opposite sign, and the hidden layer has no ReLU. Both now
# respond negatively. The embeddings of mate and non-mate turn with them.

# %%
pixels = np.array([1.0, 2.0, 1.0])
W1 = np.array([[2.0, 1.0, -1.0], [1.0, -1.0, -2.0]])  # pixels → hidden
W2 = np.array([[3.0, -1.0], [1.0, 3.0]])  # hidden → embedding
W0 = np.array([[1.0, -2.0], [0.0, -1.0]])  # embedding → (mate, non-mate)

hidden = W1 @ pixels
embedding = W2 @ hidden
print("hidden", hidden, " embedding", embedding, " head", W0 @ embedding)

# %% [markdown]
# One line a layer for {eq}`eq-3` and {eq}`eq-4`, and the walk from $(1, 0)$:

# %%
steps = [(W0, embedding, W0 @ embedding), (W2, hidden, embedding), (W1, pixels, hidden)]
excitation = [
    np.maximum(0, np.sign(parent)[:, None] * W * child) for W, child, parent in steps
]
shares = [x / x.sum(1, keepdims=True) for x in excitation]
eebp = [np.array([1.0, 0.0])]
for share in shares:
    eebp.append(eebp[-1] @ share)
print("eEBP", *eebp, " sums", *(round(p.sum(), 12) for p in eebp))

# %% [markdown]
# Plain EBP on the same network follows {eq}`eq-1`, and so only what is positive:

# %%
ebp = [np.array([1.0, 0.0])]
seen = []
for W, child, _ in steps:
    x = np.maximum(0, W) * np.maximum(0, child)
    seen.append(x / np.maximum(x.sum(1, keepdims=True), 1e-300))
    ebp.append(ebp[-1] @ seen[-1])
print("EBP ", *ebp)

# %% tags=["hide-input", "remove-output"]
names = ["head", "emb.", "hidden", "pixels"]
toy = {"": ([W0 @ embedding, embedding, hidden, pixels], [W0, W2, W1])}
glue("turned", neurons(toy, names, numbered=True, columns=1))
walks = {"EBP": (ebp, seen), "extended EBP": (eebp, shares)}
walks = {
    title: (p, [p_i[:, None] * s for p_i, s in zip(p, by)])
    for title, (p, by) in walks.items()
}
glue("walks", neurons(walks, names, numbered=True))
for name, p in {"ebp": ebp[-1], "eebp": eebp[-1], "negative": eebp[1][1:]}.items():
    glue(f"{name}_shares", ", ".join(f"{x:.4g}" for x in p), display=False)

# %% [markdown]
# ```{glue:figure} turned
# :name: fig-eebp-forward
# :alt: Pixels 1, 2, 1; hidden 3 and minus 3; embedding 12 and minus 6; head 24 for the mate and 6 for the non-mate.
#
# The forward pass with one hidden neuron and one dimension of the embedding turned over. Negative responses are
# square and red, negative weights dashed. The head's outputs are those of the last chapter.
# ```
#
# ```{glue:figure} walks
# :name: fig-eebp-walk
# :alt: EBP gives the pixels .5, .5 and 0 by one path of positive neurons; extended EBP gives .188, .5 and .312.
#
# The same walk down, towards the mate, by EBP and by extended EBP: MWP in the neurons, flow on the connections.
# ```
#
# Extended EBP gives the pixels {glue:text}`eebp_shares`: what EBP gave in the last chapter, before the signs were
# turned. EBP now gives {glue:text}`ebp_shares`: the negative dimension's share of the mate's excitation,
# {glue:text}`negative_shares`, has gone to what was positive.
#
# That is the case for the extension in one sentence. The two networks take the same decisions; turning a linear
# neuron over, with its weights, is a matter of book-keeping. An explanation that depends on it explains the
# book-keeping. Turning a neuron over changes two of the three factors in $\sigma_i\, w_{ji}\, \hat a_j$ at once, as a
# child its response and its weight, as a parent its weights and its sign, so extended EBP does not notice. Seen the
# other way round, *extended EBP is EBP on the network in which every neuron has been turned so that it responds
# positively*.
#
# ## From the library

# %%
net = nn.Sequential(
    nn.Conv2d(1, 2, (1, 3), bias=False), nn.Conv2d(2, 2, 1, bias=False), nn.Flatten()
).double()
net[0].weight.data = torch.tensor(W1).view(2, 1, 1, 3)
net[1].weight.data = torch.tensor(W2).view(2, 2, 1, 1)
triplet = (
    torch.tensor(pixels).view(1, 1, 1, 3),
    torch.tensor(W0[:1]),
    torch.tensor(W0[1:]),
)

for extended, walk in {False: ebp, True: eebp}.items():
    for layer, by_hand in {"0": walk[2], "input": walk[3]}.items():
        found = gweebp.mwp(
            net, *triplet, layer=layer, extended=extended, weighted=False
        )
        print(f"extended {extended!s:5} {layer:5}", found.flatten())
        assert np.allclose(found.flatten(), by_hand, rtol=0, atol=1e-12)

# %% [markdown]
# ## What it costs
#
# As they stand, {eq}`eq-3` and {eq}`eq-4` are four streams, each with a forward and a transposed product of its own. They
# have a [closed form](speed) of two. The library uses it for each layer where it loses no digits, and the four streams
# elsewhere.
#
# ## What EBP does not see
#
# The toy was made to have negative neurons. How much of the excitation in an architecture as it is used runs over
# connections that EBP ignores? At each layer, extended EBP gives the probability $P(a_i)$ of the parents, and
# {eq}`eq-3` and {eq}`eq-4` the share of it that each child gets. The part that {eq}`eq-1` would see too is what goes
# from positive parents over positive weights to positive children, $\sum_{i \in \Theta^+} P(a_i)\, (W^+ \hat a^+)_i /
# X_i$; the rest is ignored. The networks have random weights and the images are noise, so this is a statement about
# architectures, before any training. The [ablation](ablation) asks whether it matters to trained ones.

# %%
ignored, unlike = {}, {}
for title, name, width in (("LCNN9", "lcnn9", 0.25), ("VGG16", "vgg16", 0.125)):
    net = networks.build(name, seed=seed, width=width, size=size, embedding=64).double()
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(
        3, triplets, net.channels, size, size, generator=generator, dtype=torch.float64
    )
    ignored[title] = layerwise.ignored_by_ebp(net, *images)
    ebp_map, eebp_map = (
        gweebp.explain(net, *images, method=method) for method in ("ebp", "eebp")
    )
    unlike[title] = (ebp_map - eebp_map).abs().sum().item() / 2 / triplets

for title, shares in ignored.items():
    print(f"{title}:", *(f"{name} {abs(share):.2f}" for name, share in shares.items()))

# %% tags=["hide-input", "remove-output"]
panels = {title: {"ignored": shares} for title, shares in ignored.items()}
glue("ignored", by_depth(panels, xlabel="share ignored by EBP"))
for title, (head, *convolutions) in (
    (title, shares.values()) for title, shares in ignored.items()
):
    glue(f"head_{title}", f"{head:.0%}", display=False)
    glue(f"least_{title}", f"{abs(min(convolutions)):.0%}", display=False)
    glue(f"most_{title}", f"{abs(max(convolutions)):.0%}", display=False)
    glue(f"unlike_{title}", f"{unlike[title]:.2%}", display=False)
assert max(map(abs, convolutions)) < 1e-9  # VGG16, the last

# %% [markdown]
# ```{glue:figure} ignored
# :name: fig-eebp-ignored
# :alt: On LCNN9 a share between a few per cent and a third is ignored at every convolution; on VGG16 none below the embedding.
#
# Share of the excitation at each layer that runs over connections which EBP ignores, from the head down to the image;
# random weights.
# ```
#
# At the head, EBP ignores {glue:text}`head_LCNN9` of the excitation on LCNN9 and {glue:text}`head_VGG16` on
# VGG16: the negative coordinates of the embedding. Further down the two part. On LCNN9 every convolution has its
# share, between {glue:text}`least_LCNN9` and {glue:text}`most_LCNN9`. On VGG16 the share below the embedding is
# {glue:text}`most_VGG16`: behind a ReLU there is no negative child, and no negative parent that holds probability,
# so {eq}`eq-3` is {eq}`eq-2` and {eq}`eq-4` is empty.
#
# The *maps* of the two nevertheless differ on both, by {glue:text}`unlike_LCNN9` of their mass on LCNN9 and
# {glue:text}`unlike_VGG16` on VGG16 (half the sum of absolute differences at the saliency layer). On VGG16 all of
# that comes from the one linear layer, the embedding. Put a ReLU behind it, and nothing is left:

# %%
net = nn.Sequential(net, nn.ReLU())
walks = [
    gweebp.explain(net, *images, method=method, layer="0.features.pool4")
    for method in ("ebp", "eebp")
]
print(
    "EBP = eEBP with a ReLU on the embedding:",
    torch.allclose(*walks, rtol=0, atol=1e-14),
)
assert torch.allclose(*walks, rtol=0, atol=1e-14)

# %% [markdown]
# ## What would falsify it
#
# - A network in which turning a linear neuron over, with its weights, changes the map of extended EBP.
# - A difference of EBP and extended EBP on a network whose responses, embedding included, are all non-negative.
# - That the ignored part *matters* is the paper's claim, not a consequence: ecEBP better than cEBP and etcEBP better
#   than tcEBP on LCNN9, and no noticeable difference on VGG16. The second half does not follow from the equations, as
#   the embedding shows. The [ablation](ablation) plays both games with all six.
#
# ## Summary
#
# - A connection excites a parent where it pushes the parent further in the direction of its sign: four kinds of connection, one expression, $\max(0, \sigma_i\, w_{ji}\, \hat a_j)$.
# - Turning a linear neuron over changes no decision. Extended EBP gives the same map; EBP does not.
# - On LCNN9, EBP ignores a part of the excitation at every convolution. On VGG16 it ignores some at the embedding alone.
# - That the ignored part *matters* is an empirical question, and the [ablation](ablation) asks it.
#
# ## Exercises
#
# **1.** The middle pixel excites the first hidden neuron and inhibits the second one, which is negative. Which of the two connections does extended EBP follow?

# %% tags=["hide-cell"]
# Answer: both. The second pushes a negative neuron further down, and so excites it.
sigma = np.sign(hidden)
assert (sigma * W1[:, 1] * pixels[1] > 0).all()
print("σ w â of the middle pixel", sigma * W1[:, 1] * pixels[1])

# %% [markdown]
# **2.** Turn the *first* hidden neuron over as well: the signs of its weights from below and to above. What does extended EBP give the pixels now?

# %% tags=["hide-cell"]
# Answer: the same. At each step two of the three signs change at once.
down, up = W1 * [[-1], [1]], W2 * [-1, 1]
a, p = down @ pixels, np.array([1.0, 0.0])
for W, child, parent in [
    (W0, embedding, W0 @ embedding),
    (up, a, up @ a),
    (down, pixels, a),
]:
    x = np.maximum(0, np.sign(parent)[:, None] * W * child)
    p = p @ (x / x.sum(1, keepdims=True))
assert np.allclose(p, eebp[-1])
print("pixels", p)

# %% [markdown]
# **3.** Behind a ReLU, and with an embedding that is not negative, what is left of {eq}`eq-4`?

# %% tags=["hide-cell"]
# Answer: nothing. There is no negative parent that holds probability.
first = np.maximum(0, np.array([[2.0, 1.0, -1.0], [-1.0, 1.0, 2.0]]) @ pixels)
second = np.maximum(0, np.array([[3.0, 1.0], [-1.0, 3.0]]) @ first)
assert not (first < 0).any() and not (second < 0).any()
print("negative parents:", int((first < 0).sum() + (second < 0).sum()))
