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
# # Excitation backprop
#
# ```{admonition} What you will learn
# - how excitation backprop (EBP) turns a decision into a {term}`saliency map`, by two short equations;
# - how its contrastive forms, cEBP and tcEBP, ask for the mate *rather than* the non-mate;
# - why a library needs no surgery on the network: EBP is backpropagation with another backward rule.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
seed = 0  # of the random weights and images
size = 64  # side of the images that the real architecture reads, in pixels

# %% tags=["hide-input"]
import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import Markdown
from matplotlib_inline.backend_inline import set_matplotlib_formats
from myst_nb import glue
from torch import nn
from torch.overrides import TorchFunctionMode

import gweebp
from gweebp import figures, networks
from gweebp.experiment.typical_face import typical_face
from gweebp.figures import neurons

set_matplotlib_formats("svg")
np.set_printoptions(precision=4, suppress=True)
torch.set_printoptions(precision=4, sci_mode=False)

# %% tags=["hide-input", "remove-output"]
case = typical_face()
maps = case.maps("ebp", "cebp", "tcebp")
notes = case.notes(maps)
glue("face", figures.quadruplet(*case.images, case.region, maps, notes=notes))

# %% [markdown]
# ```{glue:figure} face
# :name: fig-ebp-face
# :alt: A sketch, its photo, and both again with other eyes, outlined; then the sketch under the maps of EBP, cEBP and tcEBP. EBP covers most of the face, the other two one spot below the nose.
#
# Why is the sketch OP matched to OM, and not to IN, which differs in the outlined part alone? Three answers of this
# chapter, from a trained LCNN9, each with its {term}`average precision` against that part.
# ```

# %% tags=["hide-input"]
Markdown(case.in_words(maps))

# %% [markdown]
# A network has turned a probe into an embedding, and the embedding is nearer to the mate's than to the non-mate's.
# How much of that is due to each response on the way, and in the end to each place of the probe?
#
# Excitation backprop (EBP) {cite:p}`zhang2018ebp` answers with a probability. Let all of it sit at the decision. Each
# neuron divides what it holds among the neurons that excited it, in proportion to how much each of them did: a
# *winner-take-all* process, in which a winning parent draws one of its children as the next winner. A neuron's
# {term}`marginal winning probability` (MWP) is the chance that the process passes through it. Read at a layer, it is a
# saliency map.
#
# This chapter works the method through on a network of three pixels, gets the same numbers from the library, and
# shows the idea that the library is built on: excitation backprop is ordinary backpropagation with another backward
# rule.
#
# ## The equations
#
# Let $a_i$ be a neuron and $\mathcal C_i$ its children, the neurons of the layer below that it is computed from. With
# $\hat a_j$ the response of a child and $w_{ji}$ the weight of its connection, the child wins from its parent with
# the conditional probability
#
# ```{math}
# :label: eq-1
# P(a_j \mid a_i) = \mathbf 1_{w_{ji} \ge 0}\, Z_i\, \hat a_j\, w_{ji},
# \qquad Z_i = 1 \Big/ \sum_{j:\, w_{ji} \ge 0} \hat a_j\, w_{ji}.
# ```
#
# A connection with a negative weight inhibits its parent; it gets nothing. $Z_i$ makes the shares of one parent sum
# to 1. Summed over the parents $\mathcal P_j$ of a child, weighted by what each parent holds,
#
# ```{math}
# :label: eq-2
# P(a_j) = \sum_{a_i \in \mathcal P_j} P(a_j \mid a_i)\, P(a_i).
# ```
#
# {eq}`eq-2` is a product with the matrix of shares. Since the shares of each parent sum to 1, so does $P$ at every
# layer: probability is conserved on its way down.
#
# ### Where it starts: a head of two rows
#
# A classifier has a neuron for each class to start from; an embedding network has none. {cite:t}`wang2025gweebp` put
# one more layer on top of it, without bias, whose two rows are the unit embeddings of the mate and of the non-mate:
#
# $$
# W_0 = \begin{pmatrix} e(m)^\top \\ e(n)^\top \end{pmatrix}.
# $$
#
# On the probe's unit embedding its two outputs are the cosine similarities to mate and non-mate. The walk starts from
# $(1, 0)$ to ask for the mate and from $(0, 1)$ to ask for the non-mate. A positive scale of a row or of the
# embedding cancels in {eq}`eq-1`, so neither needs to be normalised for that.
#
# ## By hand: three pixels
#
# The probe has three pixels, $(1, 2, 1)$. Two hidden neurons with a ReLU look at all of them, and the embedding has
# two dimensions. The mate's embedding points along $(1, 2)$, the non-mate's along $(0, 1)$; their lengths do not
# matter, so these whole numbers serve as rows of the head.

# %%
pixels = np.array([1.0, 2.0, 1.0])
W1 = np.array([[2.0, 1.0, -1.0], [-1.0, 1.0, 2.0]])  # pixels → hidden
W2 = np.array([[3.0, 1.0], [-1.0, 3.0]])  # hidden → embedding
W0 = np.array([[1.0, 2.0], [0.0, 1.0]])  # embedding → (mate, non-mate)

hidden = np.maximum(0, W1 @ pixels)
embedding = W2 @ hidden
print("hidden", hidden, " embedding", embedding, " head", W0 @ embedding)

# %% tags=["hide-input", "remove-output"]
names = ["head", "embedding", "hidden", "pixels"]
values = [W0 @ embedding, embedding, hidden, pixels]
glue("forward", neurons({"": (values, [W0, W2, W1])}, names, numbered=True, columns=1))

# %% [markdown]
# ```{glue:figure} forward
# :name: fig-ebp-forward
# :alt: Pixels 1, 2, 1; hidden 3, 3; embedding 12, 6; head 24 for the mate, 6 for the non-mate; weights on the lines.
#
# The forward pass of the three-pixel network: responses in the neurons, weights on the connections. Negative weights
# are dashed; they inhibit, and EBP does not follow them.
# ```
#
# Now {eq}`eq-1`. Row $i$ of each matrix below holds the shares of parent $i$: positive weights times responses,
# divided by the row's sum.

# %%
positive = [
    np.maximum(0, W) * child
    for W, child in [(W0, embedding), (W2, hidden), (W1, pixels)]
]
share0, share2, share1 = (
    excitation / excitation.sum(1, keepdims=True) for excitation in positive
)
for name, share in zip(
    ("embedding from head", "hidden from embedding", "pixels from hidden"),
    (share0, share2, share1),
):
    print(name, *share)

# %% [markdown]
# And {eq}`eq-2`, three times from the top, once towards the mate and once towards the non-mate:

# %%
mwp = {}
for towards, prior in {
    "mate": np.array([1.0, 0.0]),
    "non-mate": np.array([0.0, 1.0]),
}.items():
    mwp[towards] = [prior]
    for share in (share0, share2, share1):
        mwp[towards].append(mwp[towards][-1] @ share)
    print(
        f"{towards:9}",
        *mwp[towards],
        " sums",
        *(round(p.sum(), 12) for p in mwp[towards]),
    )

# %% tags=["hide-input", "remove-output"]
by = (share0, share2, share1)
panels = {
    f"towards the {t}": (walk, [p[:, None] * s for p, s in zip(walk, by)])
    for t, walk in mwp.items()
}
said = [
    "; ".join(
        f"towards the {t} {', '.join(f'{p:.4g}' for p in walk[k])}"
        for t, walk in mwp.items()
    )
    for k in range(4)
]
glue("walk", figures.walk_slider(panels, ["head", "emb.", "hidden", "pixels"], said))
for towards, walk in mwp.items():
    glue(towards, ", ".join(f"{p:.4g}" for p in walk[-1]), display=False)
glue("left", f"{mwp['mate'][-1][0]:.4g}", display=False)

# %% [markdown]
# ```{glue:figure} walk
# :name: fig-ebp-walk
# :alt: Towards the mate the pixels get .188, .5 and .312 of the probability, towards the non-mate 0, .5 and .5.
#
# The walk down, towards the mate and towards the non-mate: MWP in the neurons; the probability that flows over each
# connection as its number and its thickness. Move the slider, by mouse or with the arrow keys, to walk layer by layer.
# ```
#
# Towards the mate the three pixels hold {glue:text}`mate`: the middle one wins. It also wins half of the walk towards
# the *non-mate* ({glue:text}`non-mate`). EBP says what excited the mate's row of the head, not
# what tells the mate from another person.
#
# ## Contrastive and truncated
#
# The contrastive map (cEBP) {cite:p}`zhang2018ebp` subtracts the two walks. With $M$ and $N$ the MWPs towards mate
# and non-mate, each of sum 1, it keeps $\max(0, M - N)$. The truncated form (tcEBP) {cite:p}`castanon2018` first
# drops the small entries of $M$: sorted ascending, those below the point where they add up to 20 % of the mass. It
# drops the same places of $N$, brings both back to sum 1, and subtracts.

# %%
M, N = mwp["mate"][-1], mwp["non-mate"][-1]
cebp = np.maximum(0, M - N)

order = M.argsort()
kept = np.empty(3, dtype=bool)
kept[order] = M[order].cumsum() >= 0.2
m, n = (x * kept / (x * kept).sum() for x in (M, N))
tcebp = np.maximum(0, m - n)
print(
    "cEBP ",
    cebp / cebp.sum(),
    "\nkept ",
    kept,
    "\nm, n ",
    m,
    n,
    "\ntcEBP",
    tcebp / tcebp.sum(),
)

# %% [markdown]
# Three variants, three answers: EBP names the middle pixel first but the others too, cEBP the left pixel alone, tcEBP
# the middle one alone. The left pixel is the only one with more mass towards the mate than towards the non-mate, but
# with {glue:text}`left` it falls just under the 20 % that are cut. With so few pixels the cut decides
# everything; on a real map it removes the many small entries. Nothing in the equations says which of the three is
# *right*. That is what the [hiding game](hiding_game) and the [inpainting game](inpainting_game) are for.
#
# ## From the library
#
# The same network as an ordinary `nn.Sequential`. The probe is an image of one row, and the first convolution sees
# all of it at once.

# %%
net = nn.Sequential(
    nn.Conv2d(1, 2, (1, 3), bias=False),
    nn.ReLU(),
    nn.Conv2d(2, 2, 1, bias=False),
    nn.Flatten(),
).double()
net[0].weight.data = torch.tensor(W1).view(2, 1, 1, 3)
net[2].weight.data = torch.tensor(W2).view(2, 2, 1, 1)
triplet = (
    torch.tensor(pixels).view(1, 1, 1, 3),
    torch.tensor(W0[:1]),
    torch.tensor(W0[1:]),
)

plain = {"extended": False, "weighted": False}
for layer, by_hand in {"1": mwp["mate"][2], "input": mwp["mate"][3]}.items():
    found = gweebp.mwp(net, *triplet, layer=layer, **plain)
    print(layer, found.flatten())
    assert np.allclose(found.flatten(), by_hand, rtol=0, atol=1e-12)

for method, by_hand in {
    "ebp": M,
    "cebp": cebp / cebp.sum(),
    "tcebp": tcebp / tcebp.sum(),
}.items():
    saliency = gweebp.explain(net, *triplet, method=method, layer="input")
    print(f"{method:5}", saliency.flatten())
    assert np.allclose(saliency.flatten(), by_hand, rtol=0, atol=1e-12)

# %% [markdown]
# ## Another backward rule
#
# How can a library do this to a network that it has never seen? Write one step of {eq}`eq-1` and {eq}`eq-2` for a
# whole layer, with $P_\text{above}$ what the parents hold and $W^+ = \max(0, W)$:
#
# $$
# P = \hat a \odot \Big( W^{+\top}\, \frac{P_\text{above}}{W^+ \hat a} \Big).
# $$
#
# Backpropagation computes $W^\top g$ from a gradient $g$ above. Both take a vector from above and return one below,
# through the transpose of the layer. So nothing has to be walked by hand: it is enough to replace the backward rule
# of the operations that mix neurons, and to let automatic differentiation call them in order. A ReLU or a max-pool
# needs no new rule: its ordinary backward gives all to the winner, which is what {eq}`eq-1` says of it. Here is the
# whole idea, for networks of unpadded convolutions:


# %%
class Share(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, w):
        ctx.save_for_backward(a.clamp(min=0), w.clamp(min=0))
        return F.conv2d(a, w)

    @staticmethod
    def backward(ctx, p):
        a, w = ctx.saved_tensors
        excitation = F.conv2d(a, w)
        return a * F.conv_transpose2d(
            torch.where(excitation > 0, p / excitation, 0), w
        ), None


class Watch(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return (
            Share.apply(*args[:2])
            if func is F.conv2d
            else func(*args, **(kwargs or {}))
        )


# %% [markdown]
# `Watch` sees every operation of a forward pass that runs inside it, and exchanges the convolutions. The network has
# no hook and no changed module. On a small convolutional network with random weights and a
# max-pool, against the library:

# %%
torch.manual_seed(seed)
small = nn.Sequential(
    *(
        nn.Conv2d(1, 4, 3, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, bias=False),
        nn.ReLU(),
    ),
    *(nn.Conv2d(6, 5, 3, bias=False), nn.Flatten()),
).double()
images = torch.rand(3, 1, 1, 12, 12, dtype=torch.float64)
probe = images[0].clone().requires_grad_()
with Watch():
    e = small(probe)
at_head = (
    (small(images[1]) * e).detach().clamp(min=0)
)  # Eq. (1) of the head: both factors are positive, or the share is 0
at_head *= e > 0
(twin,) = torch.autograd.grad(e, probe, at_head / at_head.sum())
library = gweebp.mwp(small, *images, layer="input", **plain)
agree = torch.allclose(twin, library, rtol=0, atol=1e-12)
print(f"sum {twin.sum():.6f}, agrees with the library: {agree}")
assert agree

# %% [markdown]
# What {func}`gweebp.mwp` adds to these lines are the rules for other operations (linear layers, padding, averages,
# residual sums, batch norm, and so on), an error that names any operation it has no rule for, and care: the layers
# below the one that is asked for run once without a graph, and the network's weights, gradients and flags are as
# before.
#
# ## Mass is conserved
#
# On a real architecture, a narrow VGG16 {cite:p}`simonyan2014vgg` with random weights and random images. Its *map*
# would mean nothing, since the network knows nothing; its sums have to be 1 all the same.

# %%
vgg = networks.build("vgg16", seed=seed, width=0.125, size=size, embedding=32).double()
images = torch.rand(
    3,
    1,
    3,
    size,
    size,
    generator=torch.Generator().manual_seed(seed),
    dtype=torch.float64,
)
for layer in (
    "features.relu5_3",
    "features.relu5_1",
    "features.pool4",
    "features.pool3",
    "features.pool1",
):
    p = gweebp.mwp(vgg, *images, layer=layer, **plain)
    assert (p >= 0).all() and abs(1 - p.sum()) < 1e-10
    print(f"{layer:17} {p[0].numel():6} neurons, sum {p.sum():.9f}")

# %% [markdown]
# ## What it assumes
#
# {cite:t}`zhang2018ebp` name two assumptions, and {cite:t}`wang2025gweebp` start from them:
#
# 1. Responses are not negative. Behind a ReLU this holds; it does not in an embedding, which is a plain linear layer,
#    nor in a network of max-feature-maps. What is negative is ignored, and [the next chapter](extended_ebp) measures
#    how much that is.
# 2. The larger a response, the more the network is for what is asked. A response may be large for the mate *and* the
#    non-mate, or work against the decision through a layer further up; EBP can't tell, which is why [gradient
#    weighting](gradient_weighting) exists.
#
# Two more come with the code. The embedding of an image must not depend on the rest of its batch. And a parent must
# have a child that excited it: with a bias, a parent can win without one, and its probability is lost. The library
# then says how much, in a {class}`gweebp.LostMassWarning`.
#
# ## What would falsify it
#
# - A sum other than 1 at some layer of a bias-free ReLU network, or a negative entry.
# - A difference between the three ways to the same number in this chapter: by hand, the twin, the library. The tests
#   compare the library with a literal loop over {eq}`eq-1` and {eq}`eq-2`, neuron by neuron, on random networks of
#   many kinds.
# - That the map *explains* anything does not follow from any of this. Whether it does is an empirical claim, and the
#   two games can refute it.
#
# ## Summary
#
# - EBP sends the decision down as a probability. Each parent divides its share among the children that excited it, in proportion to response times weight.
# - On a network without biases the probability at every layer sums to 1.
# - EBP shows what excited the mate's row of the head. What the mate shares with the non-mate is part of that.
# - cEBP and tcEBP subtract a second walk, towards the non-mate. The equations do not say which of the three is right.
# - In code, only the backward rule of the operations that mix neurons changes.
#
# ## Exercises
#
# **1.** Start the three-pixel walk from $(\tfrac12, \tfrac12)$, half for the mate and half for the non-mate. What do the pixels get? Say it before you compute.

# %% tags=["hide-cell"]
# Answer: the walk is linear in where it starts, so it is the mean of the two walks.
half = np.array([0.5, 0.5]) @ share0 @ share2 @ share1
assert np.allclose(half, (mwp["mate"][-1] + mwp["non-mate"][-1]) / 2)
print("pixels", half)

# %% [markdown]
# **2.** Multiply the mate's embedding by 7. Which shares change?

# %% tags=["hide-cell"]
# Answer: none. The factor stands in every product of that row and in their sum.
row = 7 * W0[0] * embedding
assert np.allclose(row / row.sum(), share0[0])
print("embedding from the mate's row", row / row.sum())

# %% [markdown]
# **3.** The weight from the left pixel to the second hidden neuron is $-1$. Make it $-2$. Does the left pixel's share of that neuron change? Does anything else?

# %% tags=["hide-cell"]
# Answer: its share stays 0, for the connection inhibits. But the neuron responds less,
# and so gets less of the probability from above.
inhibited = W1.copy()
inhibited[1, 0] = -2
weaker = np.maximum(0, inhibited @ pixels)
below = np.maximum(0, inhibited) * pixels
above = np.maximum(0, W2) * weaker
assert np.allclose(below / below.sum(1, keepdims=True), share1)
assert (above[0] / above[0].sum())[1] < share2[0, 1]
print("hidden", weaker, " hidden from the first embedding", above[0] / above[0].sum())
