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
# # Results: the paper's claims, sentence by sentence
#
# {cite:t}`wang2025gweebp` say things that can be checked. Which of them hold here?
#
# Each claim is one or more sentences, in the paper's own words, and each sentence is a set of comparisons: two methods, on one
# network, one dataset and one game, as a paired difference on the trials that both played. A difference has an interval over people
# and, where a network was trained more than once, over trainings (Student's $t$ on jackknife values). A comparison asserts that the
# difference is above a bar: zero, or a margin where the paper says *by a big margin*; or below the margin where it says *no
# noticeable improvements*. It is
#
# - **for** the sentence where the interval lies on the asserted side of the bar. A sentence about *all* of its comparisons is true only
#   if each is: an intersection-union test, which needs no correction {cite:p}`berger1996`;
# - **against** it where the interval lies on the other side after {cite:t}`holm1979`'s correction over the $m$ comparisons of the
#   sentence, sorted by $p$: one of many is against by chance soon enough;
#
# $$
# \tilde p_{(i)} = \max_{j \le i}\, \min\big(1,\, (m - j + 1)\, p_{(j)}\big);
# $$
#
# - **open** otherwise.
#
# A sentence is **contradicted** by one comparison against it, **reproduced** by all for it, and otherwise **not resolved**: the data
# can't tell, which is not the same as "no". A sentence about *most* of $n$ cases is tested by the partial conjunction of
# {cite:t}`benjamini2008`: that at least $r$ of $n$ hold has $p = (n - r + 1)\, p_{(r)}$. A claim is contradicted if one of its
# sentences is, and reproduced if all are. What needs a method, dataset or game that these results lack is **not tested here**.
#
# C8 compares not two methods but the two games, by how well each ranks the methods as the known truth does ([](which_game)). The
# rule is a tested module, `gweebp/experiment/claims.py`; the sentences are in `gweebp/experiment/sentences.py`.

# %% tags=["parameters"]
build = "_build/book"  # the folder of the results
networks = "vgg16,lcnn9"  # the networks to show, separated by commas
datasets = (
    "synthetic-composite,synthetic-drawn"  # the datasets to show, separated by commas
)
measure = "inpainting-10"  # decides the inpainting game; see `gweebp.experiment.scores.MEASURES`
margin = 0.05  # a smaller difference is not noticeable, a big one is above this
alpha = 0.05  # level of each sentence
resamples = 2000  # bootstrap resamples behind the figures of single methods
seed = 0  # of the bootstrap
seeds = 1  # trainings of each network

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown
from myst_nb import glue

from gweebp import figures
from gweebp.experiment import claims, network_quality, paper, scores
from gweebp.experiment.build import open_runs
from gweebp.experiment.evidence import of_build
from gweebp.experiment.tables import frame
from gweebp.figures import style_of

# %% [markdown]
# ## By hand: the correction
#
# Four comparisons with these $p$. The smallest is multiplied by 4, the next by 3, and so on, and none may be smaller than
# the one before:

# %%
p = [0.04, 0.001, 0.015, 0.03]
by_hand = [max(0.04, 0.06), 4 * 0.001, 3 * 0.015, 2 * 0.03]
assert all(abs(a - b) < 1e-12 for a, b in zip(by_hand, claims.holm(p), strict=True))
pd.DataFrame({"p": p, "corrected": claims.holm(p)}).T

# %% [markdown]
# ## The verdicts

# %%
runs = open_runs(build, datasets, networks)
rule = {"margin": margin, "alpha": alpha}
judged = claims.judge(of_build(runs, seeds, measure), **rule)
rows = [
    {
        "": j.claim.key,
        "the paper says": f"“{one.sentence.words}” ({one.sentence.where})",
        "compared here": one.sentence.ours,
        "verdict": one.verdict,
    }
    | one.counts
    for j in judged
    for one in j.sentences
]
frame(rows, "")

# %% tags=["remove-cell"]
glue("measure", scores.MEASURES[measure].label, display=False)

# %% [markdown]
# The number that decides the inpainting game is *{glue:text}`measure`*. In words, and with what is missing:

# %% tags=["hide-input"]
Markdown("\n".join(f"- {j.text}" for j in judged))

# %% [markdown]
# Does the verdict hang on that choice? The same claims, with other measures of the inpainting game:

# %%
others = ["inpainting-10", "inpainting-10-image", "sr-10", "inpainting"]
verdicts = {
    name: [j.verdict for j in claims.judge(of_build(runs, seeds, name), **rule)]
    for name in others
}
columns = {
    scores.MEASURES[name].label.partition(": ")[2]: found
    for name, found in verdicts.items()
}
pd.DataFrame(columns, index=[claim.key for claim in claims.CLAIMS])

# %% [markdown]
# ## Every comparison behind them
#
# The difference is first minus second, with its interval; *asserted* is where the sentence puts it. *Detectable* is the true distance
# from the bar that such a comparison finds in about three of four repetitions.

# %% tags=["hide-input", "hide-output"]
rows = [
    {
        "claim": j.claim.key,
        "game": f.comparison.game,
        "run": f.run,
        "first": style_of(f.comparison.first).label,
        "second": style_of(f.comparison.second).label,
        "asserted": f.comparison.asserts,
        "difference": scores.with_interval(f.difference),
        "detectable": f"{f.detectable:.3f}",
        "is": f.side,
    }
    for j in judged
    for f in j.findings
]
frame(rows, "claim")

# %% [markdown]
# ## All methods at a glance

# %% tags=["remove-output", "hide-input"]
options = {"resamples": resamples, "seed": seed}
NONE = "The inpainting game was not played on this dataset: its people have no doppelgängers."
for name, key, xlabel in (
    ("hiding", "hiding", "area under TPR"),
    ("inpainting", measure, scores.MEASURES[measure].label),
):
    found = scores.estimates(runs, key, **options)
    glue(
        f"fig-all-{name}",
        figures.forest(found, xlabel=xlabel.partition(": ")[2] or xlabel)
        if found
        else figures.note(NONE),
    )

# %% [markdown]
# ```{glue:figure} fig-all-hiding
# :name: fig-all-hiding
# :alt: One panel for each network and dataset; a point with a bar for each method, its area in the hiding game.
#
# Hiding game, with 95 % intervals. Dotted: the random order.
# ```
#
# ```{glue:figure} fig-all-inpainting
# :name: fig-all-inpainting
# :alt: One panel for each network and dataset; a point with a bar for each method, its figure in the inpainting game.
#
# Inpainting game, with 95 % intervals. Dotted: the random order.
# ```

# %% tags=["hide-input"]
lines = []
for key in ("hiding", measure):
    lines += [f"- {scores.MEASURES[key].label}"] + [
        f"  - {scores.leader(run, key, **options)}" for run in runs
    ]
Markdown("\n".join(lines))

# %% [markdown]
# The two games need not rank the methods alike, nor need they agree with the paper, which prints curves and no numbers: its claims
# about order are all that can be compared. What it prints as numbers is about the networks and the trials:

# %% tags=["hide-input"]
stands = {
    run.title: {"stands for": paper.STANDS_FOR.get(run.dataset, "nothing in the paper")}
    for run in runs
}
pd.DataFrame(
    {
        run.title: stands[run.title] | network_quality.beside_the_paper(run)
        for run in runs
    }
)

# %% [markdown]
# ## What these verdicts are worth
#
# - The faces are not the paper's ([datasets](datasets)). *Reproduced* means: it holds in our world too. *Contradicted* means: it does not
#   hold everywhere, and the paper's data may still bear it out.
# - The intervals cover the choice of test identities and, where a network was trained more than once, of the training
#   (the chapter *Another training, another winner?* of profiles that train more than once). They do not cover another world or other hyperparameters.
# - The paper gives no intervals. A claim that is *not resolved* here, with the numbers of trials in the table above, was hardly
#   resolved by as few trials there.
# - C8 can't be judged by the games themselves: its judge is the known cause of each change of identity, which the paper did not have.
#
# ## What would falsify them
#
# Another seed, or the `paper` profile, that turns a *reproduced* into a *contradicted*. `make chapter NAME=results
# PARAMS="alpha=0.01 margin=0.02"` asks whether a verdict hangs on the level or on the margin.
