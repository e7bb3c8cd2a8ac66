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
# # Which game is right?
#
# ```{admonition} What you will learn
# - how to score a map without a game, where the cause of a decision is known to the pixel;
# - how to measure whether two rankings of the methods agree: Kendall's $\tau_b$;
# - which of the two games ranks the methods more like the truth does, claim C8 of the paper.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
build = "_build/book"  # the folder of the results
networks = "vgg16,lcnn9"  # the networks to show, separated by commas
datasets = (
    "synthetic-composite,synthetic-drawn"  # the datasets to show, separated by commas
)
score = "precision"  # the score of truth: energy, pointing or precision
resamples = 2000  # bootstrap resamples behind each interval
seed = 0  # of the bootstrap

# %% tags=["hide-input"]
import pandas as pd
import torch
from IPython.display import Markdown
from myst_nb import glue

from gweebp import figures
from gweebp.experiment import agreement, scores, typical_cases
from gweebp.experiment.build import open_runs
from gweebp.experiment.tables import captioned
from gweebp.games import rank_correlation, truth

# %% tags=["hide-input", "remove-output"]
runs = [run for run in open_runs(build, datasets, networks) if run.games.inpainting]
NOTHING = "no quadruplets in this profile"
METHODS = ("center", "ebp", "cebp", "gweebp")
picture = figures.note(NOTHING)
if runs:
    row = typical_cases.index(runs[0], "inpainting", "gweebp", typical_cases.TYPICAL)
    four, played = runs[0].quadruplet(row), agreement.maps_of(runs[0], "inpainting")
    known = agreement.truth_scores(runs[0])
    maps = {name: played[name][row] for name in METHODS}
    notes = {name: f"{known[name]['precision'][row]:.2f}" for name in METHODS}
    images = (four.op[0], four.om[0], four.ip[0], four.in_[0])
    picture = figures.quadruplet(*images, four.region[0], maps, notes=notes)
glue("fig-face", picture)
leads = {
    run.title: agreement.lead(run, "inpainting", "hiding", score, resamples)
    for run in runs
}

# %% [markdown]
# ```{glue:figure} fig-face
# :name: fig-which-face
# :alt: A sketch and its photo, both again with one part exchanged and outlined, then the sketch under the maps of four methods.
#
# The typical quadruplet of the first network. Beside each name stands the {term}`average precision` of its map: how well it ranks the pixels of the
# outlined part before all others. No game is played for it.
# ```
#
# Which game ranks all methods more like these scores do?

# %% tags=["hide-input"]
lines = [
    f"- {title}: the inpainting game's agreement less the hiding game's is "
    f"{scores.with_interval(lead, 2)}: {agreement.settled(lead, 'the inpainting game', 'the hiding game')}."
    for title, lead in leads.items()
]
Markdown("\n".join(lines) or "Not played in this profile.")

# %% [markdown]
# The two games rank the methods, and not alike. Which ranking is to be believed?
#
# The paper argues for the inpainting game, because its regions are known and its blends stay in the modality of the
# sketch {cite:p}`wang2025gweebp`. It can't test the argument: with real faces it is not known which pixels decided. In the
# synthetic world the swapped part is the *whole* cause of the change from one identity to the other, and its pixels
# are known exactly. So each map can be scored by truth, without a game, and each game by how far its ranking of the
# methods agrees with the truth's.
#
# Three scores against the swapped region $R$ of a map $S \ge 0$ with $\sum S = 1$:
#
# - *mass inside*, $\sum_{x \in R} S(x)$, the energy-based pointing game {cite:p}`wang2020scorecam`;
# - *maximum inside*, $[\arg\max S \in R]$, the pointing game {cite:p}`zhang2018ebp`;
# - *average precision* over pixels, ranked by saliency.
#
# A map that ignores the image scores the region's share of the area. To compare a game's ranking ($g_i$ for method $i$) with the
# truth's ($s_i$, the mean score) we use Kendall's {cite:p}`kendall1945`
#
# $$
# \tau_b(g, s) = \frac{\sum_{i<j} \operatorname{sign}(g_i - g_j)\,\operatorname{sign}(s_i - s_j)}
# {\sqrt{\sum_{i<j} \operatorname{sign}(g_i - g_j)^2 \,\sum_{i<j} \operatorname{sign}(s_i - s_j)^2}} ,
# $$
#
# which is 1 where both rank the methods alike, 0 where they have nothing to do with each other.
#
# ## By hand
#
# A map of four pixels; the region is the left column. The best pixel lies inside, the second best outside:

# %%
saliency = torch.tensor([[[0.5, 0.3], [0.15, 0.05]]])
region = torch.tensor([[[True, False], [True, False]]])
inside = 0.5 + 0.15
precision = 0.5 * (1 / 1) + 0.5 * (
    2 / 3
)  # half the region after 1 pixel, the other half after 3
by_hand = {
    name: round(value.item(), 4)
    for name, value in truth.score(saliency, region).items()
}
assert by_hand == {
    "energy": round(inside, 4),
    "pointing": 1.0,
    "precision": round(precision, 4),
}
print(by_hand, "chance:", truth.chance(region).item())

# %% [markdown]
# Three methods; a game swaps the upper two. Of the three pairs two agree and one does not, $\tau_b = (2 - 1)/3$:

# %%
true, game = torch.tensor([0.2, 0.5, 0.6]), torch.tensor([0.1, 0.9, 0.8])
print(f"tau-b = {rank_correlation.tau(game.numpy(), true.numpy()):.3f}")

# %% [markdown]
# ## Truth
#
# The maps that were played in the inpainting game, against the regions of its quadruplets:

# %% tags=["hide-input"]
options = {"resamples": resamples, "seed": seed}
found = {
    name: {run.title: agreement.truth_estimates(run, name) for run in runs}
    for name in agreement.TRUTH_SCORES
}
Markdown(
    "\n".join(
        f"- {run.title}: {len(run.qualified)} regions, {agreement.chance(run):.1%} of the image on average."
        for run in runs
    )
    or "No quadruplets were played in this profile: there is no truth to compare with, and nothing more to show."
)

# %% tags=["remove-output", "hide-input"]
glue(
    "fig-truth",
    figures.forest(found[score], xlabel=agreement.TRUTH_SCORES[score])
    if runs
    else figures.note("no quadruplets in this profile"),
)

# %% [markdown]
# ```{glue:figure} fig-truth
# :name: fig-truth
# :alt: One panel for each network and dataset. For each method a point with a bar, its mean score against the known region; a dotted line marks the random map.
#
# How well each method's maps find the part that was swapped, with 95 % intervals over identities. The dotted line is
# the random map.
# ```
#
# All three scores:

# %% tags=["hide-input"]
tables = {
    agreement.TRUTH_SCORES[name]: pd.DataFrame(scores.table(rows, digits=2))
    for name, rows in found.items()
    if runs
}
captioned(
    pd.concat(
        {name: t.set_index("method") for name, t in tables.items()},
        names=["score", None],
    ),
    "Every method by three scores against the swapped part, with 95 % intervals.",
) if runs else None

# %% [markdown]
# ## Which game ranks as the truth does

# %% tags=["hide-input"]
agreements = {
    agreement.TRUTH_SCORES[name]: {
        run.title: agreement.with_truth(run, name, **options) for run in runs
    }
    for name in agreement.TRUTH_SCORES
}
rows = [
    {
        "score": truth_name,
        "run": title,
        **{agreement.GAMES[g]: scores.with_interval(e, 2) for g, e in row.items()},
    }
    for truth_name, by_run in agreements.items()
    for title, row in by_run.items()
]
captioned(
    pd.DataFrame(rows).set_index(["score", "run"]),
    "Agreement of each game with the truth, with 95 % intervals.",
) if rows else None

# %% tags=["remove-output", "hide-input"]
panels = {
    title: {agreement.GAMES[g]: e for g, e in row.items()}
    for title, row in agreements[agreement.TRUTH_SCORES[score]].items()
}
glue(
    "fig-agreement",
    figures.forest(panels, xlabel="Kendall's tau-b with the truth")
    if runs
    else figures.note("no quadruplets in this profile"),
)

# %% [markdown]
# ```{glue:figure} fig-agreement
# :name: fig-agreement
# :alt: One panel for each network and dataset. For each game a point with a bar, the agreement of its ranking of the methods with the truth's, between minus one and one.
#
# Agreement of each game's ranking of the methods with the truth's, with 95 % intervals: the quadruplets and triplets are
# drawn anew, and both rankings with them.
# ```
#
# ## What the numbers say
#
# Claim C8 is about the difference of the two agreements. Where its interval lies above zero the inpainting game is
# the more reliable one, where it lies below zero the hiding game is:

# %% tags=["hide-input"]
Markdown("\n".join(lines) or "Not played in this profile.")

# %% [markdown]
# Two cautions. The inpainting game and the truth use the same regions, so a part of their agreement is built in: what
# the game adds is the network's verdict. And a map may rightly point beside the swapped part: the network's choice of
# the mate rests on the whole face, and the part is only what tells the two photos apart. Truth here is about the
# *difference* between mate and doppelgänger, which is what contrastive methods are asked for.
#
# ## What would falsify it
#
# - *Claim C8*, if the hiding game's agreement were resolved above the inpainting game's.
# - *Both games*, if neither agreement were resolved from zero: then they measure something else.
# - *The truth as a yardstick*, if the fixed central blob scored like the methods that read the network: then it would
#   measure where faces keep their parts.
#
# ## Summary
#
# - In the synthetic world the exchanged part is the whole cause of the change, so a map can be scored by truth.
# - Mass inside, maximum inside and average precision are such scores. Chance is the part's share of the area.
# - A game is as good as its ranking of the methods is near the truth's.
# - A part of the inpainting game's agreement is built in, for it uses the same regions.
#
# ## Exercises
#
# **1.** A map that is the same everywhere: what are its three scores on the toy's region?

# %% tags=["hide-cell"]
# Answer: chance, the region's share of the area, for all three.
flat = truth.score(torch.full((1, 2, 2), 0.25), region)
assert all(
    abs(value.item() - truth.chance(region).item()) < 1e-9 for value in flat.values()
)
print({name: value.item() for name, value in flat.items()})

# %% [markdown]
# **2.** A game ranks three methods in the opposite order to the truth. What is $\tau_b$?

# %% tags=["hide-cell"]
# Answer: -1: none of the three pairs agrees.
opposite = rank_correlation.tau((-true).numpy(), true.numpy())
assert abs(opposite + 1) < 1e-9
print(f"tau-b = {opposite:.0f}")
