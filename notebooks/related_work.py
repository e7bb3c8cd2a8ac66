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
# # Related work
#
# ```{admonition} What you will learn
# - which methods can explain an embedding network, and what each reads of it;
# - what *white box*, *black box* and *contrastive* mean;
# - what one map of each method costs, counted in forward passes.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
network = "lcnn9"  # the network whose maps are counted
width = 0.125  # its width, as a share of the published one
size = 64  # side of its images, in pixels
seed = 0  # of its random weights

# %% tags=["hide-input"]
import pandas as pd
import torch
from IPython.display import Markdown
from myst_nb import glue
from torch.utils.flop_counter import FlopCounterMode

import gweebp
from gweebp import figures, networks
from gweebp.experiment.sanity_checks import explain_choice
from gweebp.experiment.tables import captioned
from gweebp.experiment.typical_face import typical_face
from gweebp.figures import style_of

# %% tags=["hide-input", "remove-output"]
case = typical_face()
maps = case.maps("gradcam", "ebp", "cebp", "gweebp", "pairwisesim")
notes = case.notes(maps)
glue("face", figures.quadruplet(*case.images, case.region, maps, notes=notes))

# %% [markdown]
# ```{glue:figure} face
# :name: fig-related-face
# :alt: A sketch, its photo, and both again with other eyes, outlined; then the sketch under the maps of five methods.
#
# Five methods, five answers: why is OP matched to OM and not to IN? Beside each name, the average precision against the
# outlined part.
# ```

# %% tags=["hide-input"]
Markdown(case.in_words(maps))

# %% [markdown]
# Which methods explain an embedding network, what do they read of it, and what does a map cost?
#
# Methods made for classifiers explain the score of a class. An embedding network has no classes: what is to be explained is
# that a probe is nearer to one image than to another. The methods below were made, or adapted, for that. *White box* methods
# read responses, weights or gradients; *black box* ones see embeddings only. A *contrastive* map answers "why this one and
# not that one"; the others answer "why this one".
#
# ## Methods in this book
#
# | method | source | box | reads | contrastive | where |
# |---|---|---|---|---|---|
# | EBP | {cite:t}`zhang2018ebp` | white | responses, weights | no | {doc}`excitation_backprop` |
# | cEBP | {cite:t}`zhang2018ebp` | white | responses, weights | yes | {doc}`excitation_backprop` |
# | tcEBP | {cite:t}`castanon2018` | white | responses, weights | yes | {doc}`excitation_backprop` |
# | eEBP, ecEBP, etcEBP | {cite:t}`wang2025gweebp` | white | responses, weights | no, yes, yes | {doc}`extended_ebp` |
# | gweEBP | {cite:t}`wang2025gweebp` | white | responses, weights, gradients | by the gain | {doc}`gradient_weighting` |
# | gradient × input | {cite:t}`shrikumar2016` | white | pixels, their gradients | by the gain | {doc}`rivals` |
# | integrated gradients | {cite:t}`sundararajan2017` | white | pixels, gradients on the way from a plain image | by the gain | {doc}`rivals` |
# | Grad-CAM | {cite:t}`selvaraju2017`, {cite:t}`chen2020gradcam` | white | last map, its gradient | by the gain | {doc}`rivals` |
# | PairwiseSIM | {cite:t}`stylianou2019` | white | last map of both images | no (an option) | {doc}`rivals` |
# | XFace | {cite:t}`knoche2023xface` | black | embeddings of occluded pairs | by a difference | {doc}`rivals` |
# | CorrRISE | {cite:t}`lu2024corrrise` | black | embeddings of masked probes | by a difference | {doc}`rivals` |
# | xSSAB | {cite:t}`huber2024xssab` | white | pixels, gradients of a cosine's terms | by a difference | {doc}`rivals` |
# | FGGB | {cite:t}`lu2024fggb` | white | pixels, a gradient per dimension | by a difference | {doc}`rivals` |
# | raw attention, rollout | {cite:t}`abnar2020` | white | attention | no | {doc}`beyond_convolutions` |
# | gradient rollout | {cite:t}`chefer2021` | white | attention, its gradient | by the gain | {doc}`beyond_convolutions` |
#
# ## Methods not in this book
#
# | method | source | box | why it is related |
# |---|---|---|---|
# | Subtree EBP, DISE | {cite:t}`williford2020` | white, black | made with the inpainting game, for faces; Subtree EBP chooses the nodes from which EBP starts |
# | Layer-wise relevance propagation | {cite:t}`bach2015lrp` | white | the family of rules to which {eq}`eq-1` belongs |
# | RISE | {cite:t}`petsiuk2018rise` | black | the masks of CorrRISE, for class scores |
#
# ## What a map costs, measured
#
# Multiply-adds of one call of `explain`, mate and non-mate included, in units of one forward pass of one image, counted by
# PyTorch's own counter on a small network of this book. Counts do not depend on the machine; times do.

# %%
net = networks.build(network, seed=seed, width=width, size=size)
images = torch.rand(
    3, 1, net.channels, size, size, generator=torch.Generator().manual_seed(seed)
)
with FlopCounterMode(display=False) as forward, torch.no_grad():
    net(images[0])
rows = []
for name, method in gweebp.METHODS.items():
    if method.attention:  # needs a transformer
        continue
    with FlopCounterMode(display=False) as counter:
        explain_choice(net, *images, method=name)
    cost = (
        counter.get_total_flops() / forward.get_total_flops() - 3
    )  # explain_choice embeds all three once more
    given = (
        0 if method.reads == "images" else 2
    )  # embeddings of mate and non-mate, which a caller may have
    rows.append(
        {
            "method": style_of(name).label,
            "forward passes": cost,
            "of these for mate and non-mate": given,
        }
    )
table = pd.DataFrame(rows).sort_values("forward passes").set_index("method")
captioned(
    table.assign(**{"forward passes": table["forward passes"].map("{:,.2f}".format)}),
    "What each method needs, in forward passes of the probe.",
)

# %% tags=["hide-input"]
dearest, white = table["forward passes"].idxmax(), table.loc["gweEBP", "forward passes"]
Markdown(
    f"gweEBP costs {white:.1f} forward passes, {table.loc['gweEBP', 'of these for mate and non-mate']} of them to embed mate and "
    f"non-mate; {dearest}, the dearest at its authors' settings, {table.loc[dearest, 'forward passes']:,.0f}."
)

# %% [markdown]
# ## What would falsify it
#
# A method of this table that, on another architecture, costs another multiple: the excitation family walks only from the
# embedding down to its layer, so that its cost depends on how deep that layer lies.
#
# ## Summary
#
# - An embedding network has no classes: what is explained is why a probe is nearer to one image than to another.
# - White-box methods read responses, weights or gradients. Black-box methods need embeddings alone, and many forward passes.
# - The excitation family walks from the embedding to its layer, and costs a few forward passes.
#
# ## Exercises
#
# **1.** Which methods of the table need the *images* of mate and non-mate, and not their embeddings alone?

# %% tags=["hide-cell"]
# Answer: those that look at both images of a pair, PairwiseSIM and XFace.
readers = [style_of(k).label for k, m in gweebp.METHODS.items() if m.reads == "images"]
assert {"PairwiseSIM", "XFace"} <= set(readers)
print(readers)

# %% [markdown]
# **2.** CorrRISE embeds each masked probe once. How many forward passes does its default setting cost?

# %% tags=["hide-cell"]
# Answer: as many as it has masks, and two for mate and non-mate.
masks = gweebp.METHODS["corrrise"].options["masks"]
counted = table.loc["CorrRISE", "forward passes"]
assert abs(counted - masks) < 0.02 * masks
print("masks", masks, " counted", round(counted))
