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
# # The rivals
#
# ```{admonition} What you will learn
# - eight other ways to explain a match, each by its equation, its settings, its strengths and its weaknesses;
# - how their maps of one and the same face differ;
# - how to call each of them, and how to check three of them by hand.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
masks = 200  # random masks of CorrRISE on this page; its authors' setting is 5000
patch = 28  # side of XFace's only square on this page, in pixels of a 112-pixel image
stride = 14  # distance of two squares
steps = 16  # of integrated gradients
# %% tags=["hide-input"]
import pandas as pd
import torch
from IPython.display import Markdown
from myst_nb import glue
from torch import nn

import gweebp
from gweebp import figures
from gweebp.excitation.gain import triplet_gain
from gweebp.experiment.tables import captioned
from gweebp.experiment.typical_face import typical_face
from gweebp.figures import style_of

torch.set_printoptions(precision=3, sci_mode=False)

# %% tags=["hide-input", "remove-output"]
case = typical_face()
asked = {
    "gradcam": {},
    "pairwisesim": {},
    "xface": {"patches": (patch,), "stride": stride},
    "corrrise": {"masks": masks},
    "xssab": {},
    "fggb": {},
    "gradient-input": {},
    "integrated-gradients": {"steps": steps},
    "gweebp": {},
}
maps = {
    name: gweebp.explain(case.net, *case.triplet, method=name, **options)[0]
    for name, options in asked.items()
}
notes = case.notes(maps)
picture = figures.quadruplet(*case.images, case.region, maps, notes=notes)
glue("face", picture)

# %% [markdown]
# ```{glue:figure} face
# :name: fig-rivals-face
# :alt: A sketch, its photo, and both again with other eyes, outlined; then the sketch under the maps of the eight rivals and of gweEBP. Gradients by pixels give specks, masks give clouds.
#
# Why is the sketch OP matched to OM, and not to IN, which differs in the outlined part alone? Eight rivals and gweEBP, each
# with its {term}`average precision` against that part. CorrRISE and XFace play here with fewer masks than their authors use.
# ```

# %% tags=["hide-input"]
Markdown(case.in_words(maps))

# %% [markdown]
# The equations use the book's [notation](../pages/notation.md): $p, m, n$ are the unit embeddings of probe, mate and
# non-mate, and $G_\text{tri}$ is the {term}`triplet gain` of {eq}`eq-5`. $A$ is the last convolutional map of the probe,
# with channels $c$ and $K$ places $i$. The excitation family, gweEBP among it, has
# [its own chapters](excitation_backprop); in one line each,
#
# - *EBP* walks from the mate's row down to a layer, in proportion to response times weight, {eq}`eq-1`;
# - *cEBP* subtracts the walk from the non-mate's row, and keeps what is positive;
# - *tcEBP* first drops the entries that hold the lowest fifth of the mate's walk.
#
# ## Grad-CAM
#
# {cite:t}`selvaraju2017`, for embeddings {cite:t}`chen2020gradcam`. A channel counts by the mean gradient of the gain:
#
# $$
# w_c = \frac1K \sum_i \frac{\partial G_\text{tri}}{\partial A_{ci}}, \qquad
# S_i = \max\Big(0, \sum_{c \in \text{top}} w_c\, A_{ci}\Big).
# $$
#
# - **Settings.** `top`: how many of the largest weights are kept.
# - **Strength.** One forward and one short backward pass; it works on any convolutional network.
# - **Weakness.** One weight per channel: it cannot tell two places apart at which a channel responds alike. Its map has
#   the resolution of the last convolutional map.
#
# ## PairwiseSIM
#
# {cite:t}`stylianou2019`. Where do the pooled features of two images meet? With $B$ the other image's map,
#
# $$
# S_i = \frac{A_i \cdot \sum_k B_k}{K^2\, \lVert \bar A \rVert\, \lVert \bar B \rVert},
# $$
#
# which sums to the cosine of the pooled features $\bar A$ and $\bar B$.
#
# - **Settings.** `contrastive`: subtract the non-mate's map, as the authors' code does. The paper's form does not.
# - **Strength.** No gradient: two forward passes.
# - **Weakness.** It looks at pooled features, and not at the embedding that decides. In the paper's form it never reads
#   the non-mate.
#
# ## By hand: two pixels
#
# A "network" that takes two pixels as its only channel and as its embedding. Both equations fit in a line:

# %%
net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten()).double()
net[0].weight.data.fill_(1)
probe, mate, nonmate = (
    torch.tensor(x, dtype=torch.float64).view(1, 1, 1, 2)
    for x in ([3.0, 4.0], [4.0, 3.0], [0.0, 1.0])
)
A, B = probe.flatten(), mate.flatten()
pairwise = A * B.sum() / (2**2 * A.mean() * B.mean())

leaf = probe.clone().requires_grad_()
gain = triplet_gain(leaf.flatten(1), mate.flatten(1), nonmate.flatten(1))
(gradient,) = torch.autograd.grad(gain.sum(), leaf)
gradcam = (gradient.mean() * A).clamp(min=0)

for name, by_hand in {"pairwisesim": pairwise, "gradcam": gradcam}.items():
    found = gweebp.explain(net, probe, mate, nonmate, method=name, layer="0").flatten()
    print(f"{name:11} by hand", by_hand / by_hand.sum(), " library", found)
    assert torch.allclose(found, by_hand / by_hand.sum())

# %% [markdown]
# With a single channel both are the response itself: neither can tell one pixel from the other by anything but how
# bright it is.

# %% [markdown]
# ## XFace
#
# {cite:t}`knoche2023xface`. A black square moves over both images of a pair. With $d$ the cosine distance, and $M_q$ the mask
# of square $q$, which is 0 inside,
#
# $$
# S = \frac{1}{Q} \sum_{q=1}^{Q} (1 - M_q)\, \frac{d(p_q, m_q) - d(p, m)}{\text{area of the square}},
# $$
#
# smoothed, averaged over the sizes of the square, and scaled to a largest magnitude of 1; less the same with the
# non-mate.
#
# - **Settings.** `patches` and `stride`; `pairing`: whether both images are occluded at the same place.
# - **Strength.** A black box: it needs embeddings and nothing else.
# - **Weakness.** Thousands of forward passes at its authors' settings. A black square is not a face: what the network does with it
#   enters the map.
#
# ## CorrRISE
#
# {cite:t}`lu2024corrrise`. Random masks $M$ hide parts of the probe. Where a mask's value and the similarity $s$ go
# together, the place matters:
#
# $$
# S_i = \operatorname{corr}(M_i, s(m)) - \operatorname{corr}(M_i, s(n)).
# $$
#
# - **Settings.** `masks`, the number of masks; `cells`, their coarseness; `keep`, how much stays visible.
# - **Strength.** A black box, with a map that is a correlation and so needs no scale.
# - **Weakness.** An estimate: [fewer masks](masks), more noise. Most of the face is visible under each mask, so a part
#   that has a substitute elsewhere hardly shows.
#
# ## xSSAB
#
# {cite:t}`huber2024xssab`. The cosine is a sum of terms, one per dimension. Terms that reach their share of the threshold
# $t$ argue for a match, the others against it:
#
# $$
# S = \Big\lvert \frac{\partial}{\partial x} \sum_{k:\, p_k m_k \ge t/d} p_k m_k \Big\rvert
#   - \Big\lvert \frac{\partial}{\partial x} \sum_{k:\, p_k m_k < t/d} p_k m_k \Big\rvert ,
# $$
#
# averaged over colours; less the same with the non-mate.
#
# - **Settings.** `threshold`, as a cosine; by default halfway between the two cosines.
# - **Strength.** Two backward passes per image, at the resolution of the pixels.
# - **Weakness.** A gradient by pixels is rough, and its magnitude does not say in which direction a pixel works.
#
# ## FGGB
#
# {cite:t}`lu2024fggb`. One gradient map per dimension of the embedding, each brought to the same height, weighted by what the
# dimension adds to the decision:
#
# $$
# S = \sum_k \tilde G_k\, p_k (m_k - n_k), \qquad
# \tilde G_k = \frac{\lvert \partial F_k / \partial x \rvert}{\max \lvert \partial F_k / \partial x \rvert}.
# $$
#
# - **Settings.** `scale`: what each gradient is divided by.
# - **Strength.** No dimension outweighs another because the network happens to be steep in it.
# - **Weakness.** As many backward passes as the embedding has dimensions.
#
# ## Gradients of the gain
#
# What most users try first: *gradient × input* {cite:p}`shrikumar2016`, $S = x \odot \partial G_\text{tri} / \partial x$,
# and *integrated gradients* {cite:p}`sundararajan2017`, the same with the gradient averaged on the way from a plain image
# to the probe.
#
# - **Settings.** `baseline`, the plain image; `steps` of the way.
# - **Strength.** Any network that has a gradient. Integrated gradients sum to the gain.
# - **Weakness.** Rough, as every gradient by pixels; the plain image is a choice, and a dark pixel can hardly matter.
#
# ## By hand: FGGB on the two pixels
#
# There each embedding dimension is one pixel, so its gradient map is 1 there and 0 elsewhere. What remains is the weight:

# %%
unit = [x.flatten() / x.norm() for x in (probe, mate, nonmate)]
by_hand = unit[0] * (unit[1] - unit[2])
found = gweebp.explain(net, probe, mate, nonmate, method="fggb").flatten()
print("by hand", by_hand, " library", found)
assert torch.allclose(found, by_hand.clamp(min=0) / by_hand.clamp(min=0).sum())

# %% [markdown]
# ## What they look like, in numbers
#
# On the face at the top: the size of each map, and the share of its places that hold half of its mass. A small share is a
# map of specks or of one spot, a large one a cloud.

# %% tags=["hide-input"]
rows = {}
for name, saliency in maps.items():
    mass = saliency.flatten().sort(descending=True).values.cumsum(0)
    needed = int((mass < 0.5 * mass[-1]).sum()) + 1
    h, w = saliency.shape
    rows[style_of(name).label] = {
        "size": f"{h} × {w}",
        "places with half of the mass": f"{needed / mass.numel():.0%}",
        "on the part": f"{case.inside(saliency):.0%}",
    }
captioned(
    pd.DataFrame(rows).T,
    "Size and concentration of each map on that face.",
)

# %% [markdown]
# The settings that each has when nothing else is said, the authors' own:

# %% tags=["hide-input"]
settings = {
    style_of(name).label: ", ".join(
        f"{key}={value!r}" for key, value in gweebp.METHODS[name].options.items()
    )
    for name in asked
    if name != "gweebp"
}
Markdown("\n".join(f"- {name}: `{text}`" for name, text in settings.items()))

# %% [markdown]
# What each costs is counted in [related work](related_work); how each does is in the [results](results).
#
# ## What would falsify it
#
# - A rival whose map differs from that of the released code: the tests compare PairwiseSIM, XFace and
#   CorrRISE with outputs of that code.
# - *The comparison in this book*, if a rival were held to fewer masks than its maps need to settle. The [study](study)
#   chooses their number by a rule that looks at no game.
#
# ## Summary
#
# - Grad-CAM and PairwiseSIM read the last convolutional map, and are cheap and coarse.
# - XFace and CorrRISE read embeddings alone, and pay with forward passes.
# - xSSAB, FGGB and the gradients of the gain work at the pixels, and are rough.
# - One face cannot rank them. The games do.
#
# ## Exercises
#
# **1.** Take another non-mate for the face. Does PairwiseSIM's map change?

# %% tags=["hide-cell"]
# Answer: no. In the paper's form it reads the mate alone.
op, om, in_ = case.triplet
other = gweebp.explain(case.net, op, om, in_.flip(3), method="pairwisesim")[0]
assert torch.equal(other, maps["pairwisesim"])
print("largest change", (other - maps["pairwisesim"]).abs().max().item())

# %% [markdown]
# **2.** Negate one dimension of a network's embedding, for all images. Do decisions change? Does FGGB's map?

# %% tags=["hide-cell"]
# Answer: neither. The sign turns in probe, mate and non-mate at once, and FGGB takes the
# magnitude of each gradient.
turned = nn.Sequential(net, nn.Linear(2, 2, bias=False)).double()
turned[1].weight.data = torch.tensor([[-1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
again = gweebp.explain(turned, probe, mate, nonmate, method="fggb").flatten()
assert torch.allclose(again, found)
print("before", found, " after", again)

# %% [markdown]
# **3.** What does PairwiseSIM's map of the two pixels sum to, before it is scaled to sum 1?

# %% tags=["hide-cell"]
# Answer: to the cosine of the pooled features. Of one positive channel that is 1.
assert abs(pairwise.sum().item() - 1) < 1e-12
print("sum over the two places", round(pairwise.sum().item(), 12))
