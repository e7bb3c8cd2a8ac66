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
# # Sanity checks
#
# ```{admonition} What you will learn
# - three checks that a map depends on what the network learnt, and on who is asked about;
# - how much of a map stays when every weight is random;
# - how much of gweEBP's map stays when the question is about two other people.
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
method = "gweebp"  # the method of the example
samples = 3  # how many quadruplets the example shows
resamples = 2000  # bootstrap resamples behind each interval
seed = 0  # of the bootstrap

# %% tags=["hide-input"]
import pandas as pd
import torch
from IPython.display import Markdown
from myst_nb import glue

from gweebp import figures
from gweebp.experiment import sanity_checks
from gweebp.experiment.build import open_runs
from gweebp.experiment.tables import captioned
from gweebp.figures import style_of
from gweebp.games.bootstrap import Estimate
from gweebp.networks import as_input

# %% tags=["hide-input", "remove-output"]
runs = open_runs(build, datasets, networks)
(run,) = open_runs(build, dataset or datasets.split(",")[0], network)
count = min(samples, len(run.trials["hiding"]["probe"]))
triplets = [run.triplet(i) for i in range(count)]
images = [as_input(run.net, torch.cat(x)) for x in zip(*triplets)]
*_, (_, random_net) = sanity_checks.cascade(run.net, seed)
others = (images[0], images[1].roll(1, 0), images[2].roll(-1, 0))
shown, titles = [None], ["probe"]
for name in (method, "cebp"):
    for what, net, asked in (
        ("its own two", run.net, images),
        ("two others", run.net, others),
        ("random weights", random_net, images),
    ):
        shown.append(sanity_checks.explain_choice(net, *asked, method=name)[0])
        titles.append(f"{style_of(name).label}\n{what}")
shown.insert(4, None)
titles.insert(4, "")
pictures = [triplets[0][0][0]] * len(shown)
glue("fig-face", figures.image_grid(pictures, titles, maps=shown, columns=4))

# %% [markdown]
# ```{glue:figure} fig-face
# :name: fig-sanity-face
# :alt: A sketch under six maps, three of one method and three of cEBP. Of each, the map for its own mate and non-mate, the map for two other people, and the map of a network with random weights.
#
# The first probe of {glue:text}`sanity-run`. Each row: the map for its own mate and non-mate, for two other people, and of a network
# whose weights are all random. The last two should differ from the first.
# ```
#
# How alike the maps for two other people are to those for a probe's own two, over all probes that were checked (1 is the same order of the pixels):

# %% tags=["hide-input"]
options = {"resamples": resamples, "seed": seed}


def means(run, similarities):
    found = {
        m: sanity_checks.mean(x[None], run.sanity.subject, **options)
        for m, x in similarities.items()
    }
    return {m: Estimate(*(float(v[0]) for v in c[1:])) for m, c in found.items()}


identity = {r.title: means(r, r.sanity.identity) for r in runs}
asked = ("gweebp", "cebp", "ebp")
lines = [
    f"- {title}: "
    + ", ".join(
        f"{style_of(m).label} {found[m].value:.2f}" for m in asked if m in found
    )
    for title, found in identity.items()
]
glue("sanity-run", run.title, display=False)
Markdown("\n".join(lines))

# %% [markdown]
# Would a map look the same if the network had learnt nothing, or if the question were about other people?
#
# {cite:t}`adebayo2018sanity` showed that some popular maps hardly change when the network's weights are replaced by random ones:
# they follow the edges of the image, whatever the network does with them. Their checks, for embedding networks:
#
# - *Cascading randomisation.* Layers lose their weights one after the other, from the embedding down to the image; each
#   weight tensor is replaced by independent normal values of the same mean and standard deviation. After each step the
#   maps of the same probes are made anew, and compared with those of the intact network.
# - *Identity randomisation.* The network stays, but it is asked about two other people. A map that is about the choice
#   between *these* two must change.
# - *Label randomisation.* The network becomes one that was trained in the same way on pairs of a sketch and *another person's*
#   photo. There was nothing to learn about who is who; a map that is about what was learnt must change.
#
# Similarity is Spearman's rank correlation over the pixels of a map: 1 where the order of the pixels is the same, 0 where
# the two have nothing in common. If the changed network prefers the non-mate, we explain that
# choice.
#
# ## By hand
#
# Two maps of four pixels, and the order of their pixels:

# %%
first = torch.tensor([[[0.1, 0.4], [0.2, 0.3]]])  # ranks 1 4 2 3
second = torch.tensor([[[0.0, 0.9], [0.1, 0.0001]]])  # ranks 1 4 3 2
ranks = torch.tensor([[1.0, 4.0, 2.0, 3.0], [1.0, 4.0, 3.0, 2.0]])
by_hand = torch.corrcoef(ranks)[0, 1].item()
assert abs(sanity_checks.similarity(first, second).item() - by_hand) < 1e-6
print(f"Spearman's correlation {by_hand:.2f}")

# %% [markdown]
# ## One network loses its layers

# %%
live = sanity_checks.cascading_randomisation(run.net, *images, method=method, seed=seed)
layers = {name.rpartition(".")[2]: f"{x.nanmean():.2f}" for name, x in live.items()}
captioned(
    pd.DataFrame(layers, index=["similarity"]),
    "The toy: similarity to the intact network as layers lose their weights.",
)

# %% tags=["hide-input"]
Markdown(
    f"{style_of(method).label} on {count} probes of {run.title}; the layer named has just lost its weights."
)

# %% [markdown]
# ## All networks, all datasets

# %% tags=["remove-output", "hide-input"]
by_panel = {
    r.title: (
        [name.rpartition(".")[2] for name in r.sanity.layers],
        {
            m: sanity_checks.mean(x, r.sanity.subject, **options)
            for m, x in r.sanity.cascade.items()
        },
    )
    for r in runs
}
glue("fig-cascade", figures.cascade(by_panel, ylabel="similarity of the maps"))


def from_most_changed(found):
    orders = {
        title: sorted(methods.items(), key=lambda item: item[1].value)
        for title, methods in found.items()
    }
    texts = {
        title: ", ".join(f"{style_of(m).label} {e.value:.2f}" for m, e in order)
        for title, order in orders.items()
    }
    return "\n".join(
        f"- {title}, from the most to the least changed: {text}."
        for title, text in texts.items()
    )


labels = {r.title: means(r, r.sanity.labels) for r in runs}
glue(
    "fig-identity",
    figures.forest(identity, xlabel="similarity of the maps for two other people"),
)
glue(
    "fig-labels",
    figures.forest(labels, xlabel="similarity of the maps after shuffled pairs"),
)

# %% [markdown]
# ```{glue:figure} fig-cascade
# :name: fig-cascade
# :alt: One panel for each network and dataset. From left to right one more layer of the network is random; lines of the methods fall from one towards zero, that of the fixed central blob stays at one.
#
# Similarity of each method's maps to those of the intact network while layers lose their weights, from the embedding
# (left) down to the image (right); bands are 95 % intervals over identities.
# ```
#
# ```{glue:figure} fig-identity
# :name: fig-identity
# :alt: One panel for each network and dataset. For each method a point with a bar, the similarity of its maps for a probe's own mate and non-mate to those for two other people.
#
# Similarity of the maps for a probe's own mate and non-mate to the maps for two other people. Low is what a
# contrastive method should have.
# ```
#
# ```{glue:figure} fig-labels
# :name: fig-labels
# :alt: One panel for each network and dataset. For each method a point with a bar, the similarity of its maps to those of a network that was trained on shuffled pairs.
#
# Similarity of the maps to those of a network that was trained on shuffled pairs: what the architecture, the images and the training itself
# put into a map, without any knowledge of who is who.
# ```
#
# ## What the numbers say
#
# With every layer random:

# %% tags=["hide-input"]
lines = []
for title, (_, methods) in by_panel.items():
    kept = [style_of(m).label for m, c in methods.items() if c.low[-1] > 0.5]
    gone = [style_of(m).label for m, c in methods.items() if c.high[-1] < 0.5]
    lines.append(
        f"- {title}: clearly above 0.5 (95 % interval): {', '.join(kept) or 'none'}; clearly below: {', '.join(gone) or 'none'}."
    )
Markdown("\n".join(lines))

# %% [markdown]
# For two other people. A method that answers "why this one and not that one" should be near 0 here; where gweEBP is far from it,
# a large part of its map is the same for all people that are asked about:

# %% tags=["hide-input"]
Markdown(from_most_changed(identity))

# %% [markdown]
# For a network that learnt shuffled pairs:

# %% tags=["hide-input"]
Markdown(from_most_changed(labels))

# %% [markdown]
# EBP and eEBP never read the non-mate, and the mate only through the weights of one row of the head: what they show is mostly
# where the network looks, for all people that are asked about. That is not wrong, but it is no answer to "why this one and not that one".
#
# A similarity above zero in a random network is not by itself a failure: an untrained convolutional network still
# passes on where the image has structure, and all of these maps are made of its responses.
#
# ## What would falsify it
#
# - *A method*, if its similarity stayed near 1 to the end of the cascade, or with shuffled pairs: it would then not depend on what was learnt.
# - *The check*, if the fixed central blob did not stay at 1: it reads neither network nor image.
#
# ## Summary
#
# - A map must change when the network's weights become random, when the question is about other people, and when there was nothing to learn.
# - EBP and eEBP hardly read who is asked about. Contrastive methods must, and the identity check says how much they do.
# - gweEBP is compared with cEBP on that check at the top of this page: where its similarity is high, its map shows what any question about this probe would show.
# - A similarity above zero in a random network is not by itself a failure.
#
# ## Exercises
#
# **1.** Spearman's correlation looks at ranks alone. What is it between a map and its square?

# %% tags=["hide-cell"]
# Answer: 1: squaring a map of non-negative values keeps the order of its pixels.
assert abs(sanity_checks.similarity(first, first**2).item() - 1) < 1e-6
print(f"{sanity_checks.similarity(first, first**2).item():.2f}")

# %% [markdown]
# **2.** The fixed central blob reads neither network nor image. What must the cascade find for it, at every layer?

# %% tags=["hide-cell"]
# Answer: 1, or the check itself is broken.
kept = [r.sanity.cascade["center"] for r in runs if "center" in r.sanity.cascade]
assert kept and all(((x - 1).abs() < 1e-6).all() for x in kept)
print("similarity of centre:", sorted({f"{x.mean():.2f}" for x in kept}))
