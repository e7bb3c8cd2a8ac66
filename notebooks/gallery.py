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
# Averages hide what a picture shows. This page puts the probe, its mate, the non-mate and all methods' maps side by side, as
# the paper's supplement does for its faces. The cases are chosen by a rule, not by hand. Trials are ordered by a score of one method:
# in the hiding game by the area under the triplet's own curve, in the inpainting game by the average precision of its
# map against the swapped region. The *typical* case is the trial nearest to the median, the *worst* the lowest.

# %% tags=["parameters"]
build = "_build/book"  # the folder of the results
networks = "vgg16,lcnn9"  # the networks to show, separated by commas
datasets = (
    "synthetic-composite,synthetic-drawn"  # the datasets to show, separated by commas
)
by = "gweebp"  # the method whose scores choose the cases
# %% tags=["hide-input"]
from IPython.display import Markdown, display

from gweebp import figures
from gweebp.experiment import typical_cases
from gweebp.experiment.agreement import maps_of
from gweebp.experiment.build import open_runs
from gweebp.figures import style_of

runs = open_runs(build, datasets, networks)
played = [run for run in runs if run.games.inpainting]
Markdown(
    f"Cases by the scores of **{style_of(by).label}**. The darker the colour, the more salient; where there is no colour, "
    "the map is near zero. Under each map of a quadruplet stands its average precision."
)

# %% [markdown]
# ## By hand
#
# The rule on five scores: typical is the one nearest to their median, worst the lowest.

# %%
chosen = typical_cases.choose([0.9, 0.1, 0.4, 0.5, 0.2])
assert chosen == {"typical": 2, "worst": 1, "best": 0}
print(chosen)


# %% tags=["hide-input"]
def images_of(four):
    return [image[0] for image in (four.op, four.om, four.ip, four.in_)]


def show_quadruplets(case):
    """One figure a run: the quadruplet of that case, and OP under every method's map with the region's outline."""
    for run in played:
        scores = typical_cases.inpainting_scores(run, by)
        row = typical_cases.choose(scores)[case]
        four = run.quadruplet(row)
        maps = {name: x[row] for name, x in maps_of(run, "inpainting").items()}
        display(
            Markdown(
                f"**{run.title}**, quadruplet {row}, average precision {scores[row]:.2f}."
            )
        )
        found = {
            name: f"{typical_cases.inpainting_scores(run, name)[row]:.2f}"
            for name in maps
        }
        display(figures.quadruplet(*images_of(four), four.region[0], maps, notes=found))
    if not played:
        display(Markdown("No quadruplets were played in this profile."))


def show_triplets(case):
    """One figure a run: the triplet of that case, and the probe under every method's map."""
    for run in runs:
        scores = typical_cases.hiding_scores(run, by)
        row = typical_cases.choose(scores)[case]
        maps = {name: x[row] for name, x in maps_of(run, "hiding").items()}
        display(Markdown(f"**{run.title}**, triplet {row}, area {scores[row]:.2f}."))
        display(
            figures.triplet(*(image[0] for image in run.triplet(row)), maps, columns=4)
        )


# %% [markdown]
# ## Inpainting game, typical
#
# OP is the probe, OM its mate; in IP and IN one part is exchanged, whose outline is drawn. A map should light up inside it.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Probe, mate and their doppelgangers with the outline of the exchanged part, then the probe under the map of each method; the quadruplet nearest to the median."}}
show_quadruplets("typical")

# %% [markdown]
# ## Inpainting game, worst

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same for the quadruplet on which the chosen method finds the exchanged part worst."}}
show_quadruplets("worst")

# %% [markdown]
# ## Hiding game, typical
#
# Here nothing says where a map should light up: the non-mate is another face altogether.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Probe, mate and non-mate of a triplet, then the probe under the map of each method; the triplet nearest to the median."}}
show_triplets("typical")

# %% [markdown]
# ## Hiding game, worst

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same for the triplet on which the chosen method does worst."}}
show_triplets("worst")

# %% [markdown]
# ## What would falsify it
#
# A picture proves nothing: it can only raise a suspicion that a number then has to settle. If the worst cases shared a
# trait (one part, one hair style, glasses), the [inpainting game](inpainting_game) by part is the place to check it.
