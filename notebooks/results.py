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
# {cite:t}`wang2025gweebp` say things that can be checked. Which of them hold here? Each claim below leads to its sentences, in the
# paper's own words, and to what is compared here.

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
study = "data/study"  # the folder of the study's outcomes; "" to leave them out

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown
from myst_nb import glue

from gweebp import figures
from gweebp.experiment import claims, network_quality, paper, ranks, scores
from gweebp.experiment.build import located, open_runs
from gweebp.experiment.evidence import of_build
from gweebp.experiment.study.evidence import of_study
from gweebp.experiment.study.verdicts import bars, of_claims, verdicts
from gweebp.experiment.tables import captioned, frame
from gweebp.figures import style_of

runs = open_runs(build, datasets, networks)
rule = {"margin": margin, "alpha": alpha}
evidence = {"this build": of_build(runs, seeds, measure)}
if study:
    evidence = {"the study": of_study(located(study))} | evidence
judged = {name: claims.judge(found, **rule) for name, found in evidence.items()}
rows = {name: verdicts(evidence[name], judged[name], **rule) for name in evidence}
first = next(iter(rows))
table = [
    {"claim": one.claim.key, "about": one.claim.text}
    | {name: of_claims(rows[name])[i].text for name in rows}
    | {f"what decided it in {first}": of_claims(rows[first])[i].decided}
    for i, one in enumerate(judged[first])
]
keys = [one["claim"] for one in table]
captioned(
    frame(table, "claim"),
    "The paper's claims and their verdicts. The study has more people than this build, and several trainings of each network.",
    links={key: f"#{key.lower()}" for key in keys},
)

# %% tags=["remove-cell"]
glue("fig-verdicts", figures.verdicts(*bars(rows["this build"])))

# %% [markdown]
# ```{glue:figure} fig-verdicts
# :name: fig-verdicts
# :alt: One bar for each sentence of the paper, divided into the comparisons that are for it, open, against it, and not made; its verdict at the right.
#
# The sentences behind the claims, in this build. One comparison against a sentence about *all* of them contradicts it.
# ```

# %% tags=["hide-input"]
lost = ranks.losers(judged["this build"])
own = lost.pop(style_of("gweebp").label)
others = ", ".join(f"{name} ({n})" for name, n in lost.items())
Markdown(
    f"In this build, {own + sum(lost.values())} comparisons speak against a claim. In {own} of them gweEBP is the method that "
    "should lead and does not" + (f"; in the others it is {others}." if others else ".")
)

# %% [markdown]
# ## Sentence by sentence
#
# The paper's words on the left, our comparison beside them: the paper prints curves and no numbers, so each sentence had to be turned
# into something that can be computed.

# %% tags=["hide-input"]
rows = [
    {
        "": j.claim.key,
        "the paper says": f"“{one.sentence.words}” ({one.sentence.where})",
        "compared here": one.sentence.ours,
        "verdict": one.verdict,
    }
    | one.counts
    for j in judged["this build"]
    for one in j.sentences
]
captioned(
    frame(rows, ""),
    "The sentences behind the claims, with their verdicts in this build and the number of comparisons on each side.",
    places=True,
)

# %% [markdown]
# ## All methods at a glance
#
# The curves behind these figures are in the chapters on the [hiding game](hiding_game) and the [inpainting game](inpainting_game).

# %% tags=["hide-input"]
options = {"resamples": resamples, "seed": seed}
games = {
    game: scores.estimates(runs, key, **options)
    for game, key in (("hiding", "hiding"), ("inpainting", measure))
}
captioned(
    frame(ranks.ranks(games), "method"),
    "Rank of each method, with its figure in brackets: area under TPR in the hiding game, in the inpainting game "
    f"{scores.MEASURES[measure].label.partition(': ')[2]}.",
)

# %% tags=["hide-input"]
lines = []
for key in ("hiding", measure):
    lines += [f"- {scores.MEASURES[key].label}"] + [
        f"  - {scores.leader(run, key, **options)}" for run in runs
    ]
Markdown("\n".join(lines))

# %% [markdown]
# ## How a verdict comes about
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

# %% [markdown]
# ### By hand: the correction
#
# Four comparisons with these $p$. The smallest is multiplied by 4, the next by 3, and so on, and none may be smaller than
# the one before:

# %%
p = [0.04, 0.001, 0.015, 0.03]
by_hand = [max(0.04, 0.06), 4 * 0.001, 3 * 0.015, 2 * 0.03]
assert all(abs(a - b) < 1e-12 for a, b in zip(by_hand, claims.holm(p), strict=True))
captioned(
    pd.DataFrame({"p": p, "corrected": claims.holm(p)}).T,
    "Four p values, corrected by Holm.",
)

# %% [markdown]
# ## Does a verdict depend on the measure?
#
# The same claims, with other measures of the inpainting game:

# %% tags=["hide-input"]
others = ["inpainting-10", "inpainting-10-image", "sr-10", "inpainting"]
found = {
    name: [j.verdict for j in claims.judge(of_build(runs, seeds, name), **rule)]
    for name in others
}
columns = {
    scores.MEASURES[name].label.partition(": ")[2]: each for name, each in found.items()
}
captioned(
    pd.DataFrame(columns, index=keys),
    "Verdicts by the measure of the inpainting game.",
)

# %% [markdown]
# ## Every comparison
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
    for j in judged["this build"]
    for f in j.findings
]
captioned(frame(rows, "claim"), "Every comparison of this build.")

# %% [markdown]
# The two games need not rank the methods alike, nor need they agree with the paper, which prints curves and no numbers: its claims
# about order are all that can be compared. What it prints as numbers is about the networks and the trials:

# %% tags=["hide-input"]
stands = {
    run.title: {"stands for": paper.STANDS_FOR.get(run.dataset, "nothing in the paper")}
    for run in runs
}
captioned(
    pd.DataFrame(
        {
            run.title: stands[run.title] | network_quality.beside_the_paper(run)
            for run in runs
        }
    ),
    "Networks and trials beside what the paper reports.",
)

# %% [markdown]
# ## What these verdicts are worth
#
# - The faces are not the paper's ([datasets](datasets)). *Reproduced* means: it holds in our world too. *Contradicted* means: it does not
#   hold everywhere, and the paper's data may still bear it out.
# - The intervals cover the choice of test identities and, where a network was trained more than once, of the training
#   (the chapter *Another training, another winner?* of profiles that train more than once). They do not cover another world or other hyperparameters.
# - XFace and CorrRISE see the network from outside, through masks, and profiles may give them fewer masks than their authors do. A
#   verdict that hangs on one of them hangs on that number too: [](masks).
# - The paper gives no intervals. A claim that is *not resolved* here, with the numbers of trials in the table above, was hardly
#   resolved by as few trials there.
# - C8 can't be judged by the games themselves: its judge is the known cause of each change of identity, which the paper did not have.
#
# ## What would falsify them
#
# Another seed, or the `paper` profile, that turns a *reproduced* into a *contradicted*. `make chapter NAME=results
# PARAMS="alpha=0.01 margin=0.02"` asks whether a verdict hangs on the level or on the margin.
