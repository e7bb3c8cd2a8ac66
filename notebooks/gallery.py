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
# # Gallery
#
# What do the maps look like, where a method does well and where it fails?
#
# Averages hide what a picture shows. The cases are chosen by a rule, not by hand. Trials are ordered by a score of one method: in the
# inpainting game by the average precision of its map against the exchanged part, in the hiding game by the area under the triplet's
# own curve. The *typical* case is the trial nearest to the median, the *worst* the lowest.

# %% tags=["parameters"]
build = "_build/book"  # the folder of the results
networks = "vgg16,lcnn9"  # the networks to show, separated by commas
datasets = (
    "synthetic-composite,synthetic-drawn"  # the datasets to show, separated by commas
)
by = "gweebp"  # the method whose scores choose the cases
shown = "center,gradcam,ebp,cebp,pairwisesim,gweebp"  # methods that are seen at once, separated by commas

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from gweebp import figures
from gweebp.experiment import typical_cases
from gweebp.experiment.agreement import maps_of
from gweebp.experiment.build import open_runs
from gweebp.faces import PARTS
from gweebp.figures import style_of

runs = open_runs(build, datasets, networks)
played = [run for run in runs if run.games.inpainting]
first = shown.split(",")
Markdown(
    f"Cases by the scores of **{style_of(by).label}**. Over each map stand the method's name and its score on this very trial."
)

# %% [markdown]
# The darker the colour, the more salient; where there is no colour, the map is near zero. Each map has its own scale: colours
# of two maps can't be compared in strength.


# %% tags=["hide-input"]
def inpainting(case, methods=None):
    """Run, its quadruplet, the maps of the methods (None: all), their scores."""
    for run in played:
        maps = maps_of(run, "inpainting")
        scores = {m: typical_cases.inpainting_scores(run, m) for m in maps}
        row = typical_cases.choose(scores[by])[case]
        own = {m: float(scores[m][row]) for m in maps}
        yield (
            run,
            run.quadruplet(row),
            {m: maps[m][row] for m in methods or maps if m in maps},
            own,
        )


def hiding(case, methods=None):
    """Run, its triplet, the maps of the methods (None: all), their scores."""
    for run in runs:
        maps = maps_of(run, "hiding")
        scores = {m: typical_cases.hiding_scores(run, m) for m in maps}
        row = typical_cases.choose(scores[by])[case]
        own = {m: float(scores[m][row]) for m in maps}
        yield (
            run,
            run.triplet(row),
            {m: maps[m][row] for m in methods or maps if m in maps},
            own,
        )


def said(run, what, scores):
    """What a picture shows, in a sentence."""
    best = max(scores, key=scores.get)
    order = sorted(scores, key=scores.get, reverse=True)
    text = f"**{run.title}**{what}. {style_of(by).label} has {scores[by]:.2f}, rank {order.index(by) + 1} of {len(order)}"
    leads = (
        "" if best == by else f"; {style_of(best).label} leads with {scores[best]:.2f}"
    )
    chance = f"; a random map has {scores['random']:.2f}" if "random" in scores else ""
    return Markdown(f"{text}{leads}{chance}.")


def notes(scores):
    return {m: f"{value:.2f}" for m, value in scores.items()}


def show_quadruplets(case, methods=None, columns=5):
    for run, four, maps, scores in inpainting(case, methods):
        part = PARTS[int(four.part[0])]
        display(said(run, f", {part} exchanged: average precision", scores))
        images = [image[0] for image in (four.op, four.om, four.ip, four.in_)]
        display(
            figures.quadruplet(
                *images, four.region[0], maps, columns=columns, notes=notes(scores)
            )
        )
    if not played:
        display(Markdown("No quadruplets were played in this profile."))


def show_triplets(case, methods=None, columns=5):
    for run, three, maps, scores in hiding(case, methods):
        display(said(run, ": area under the curve", scores))
        images = [image[0] for image in three]
        display(figures.triplet(*images, maps, columns=columns, notes=notes(scores)))


# %% [markdown]
# ## Inpainting game, typical
#
# OP is the probe, OM its mate; in IP and IN one part is exchanged, whose outline is drawn. A map should light up inside it.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Probe, mate and their doppelgangers with the outline of the exchanged part, then the probe under the map of some methods; the quadruplet nearest to the median."}}
show_quadruplets("typical", first)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the maps of all methods", "code_prompt_hide": "Hide the maps of all methods", "image": {"alt": "The same quadruplets with the maps of all methods."}}
show_quadruplets("typical")

# %% [markdown]
# ## Inpainting game, worst

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same for the quadruplet on which the chosen method finds the exchanged part worst."}}
show_quadruplets("worst", first)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the maps of all methods", "code_prompt_hide": "Hide the maps of all methods", "image": {"alt": "The same quadruplets with the maps of all methods."}}
show_quadruplets("worst")

# %% [markdown]
# ## Hiding game, typical
#
# Here nothing says where a map should light up: the non-mate is another face altogether.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Probe, mate and non-mate of a triplet, then the probe under the map of some methods; the triplet nearest to the median."}}
show_triplets("typical", first)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the maps of all methods", "code_prompt_hide": "Hide the maps of all methods", "image": {"alt": "The same triplets with the maps of all methods."}}
show_triplets("typical")

# %% [markdown]
# ## Hiding game, worst

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same for the triplet on which the chosen method does worst."}}
show_triplets("worst", first)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the maps of all methods", "code_prompt_hide": "Hide the maps of all methods", "image": {"alt": "The same triplets with the maps of all methods."}}
show_triplets("worst")

# %% [markdown]
# ## The rule, by hand
#
# On five scores: typical is the one nearest to their median, worst the lowest.

# %%
typical_cases.choose([0.9, 0.1, 0.4, 0.5, 0.2])

# %% [markdown]
# ## What would falsify it
#
# A picture proves nothing: it can only raise a suspicion that a number then has to settle. If the worst cases shared a
# trait (one part, one hair style, glasses), the [inpainting game](inpainting_game) by part is the place to check it.
