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
# # The study: many people, several trainings
#
# The other chapters rest on the small experiment that each build of this book makes again. Verdicts on a paper need more. The study is that
# more: the same code, run once over some hours, resumable, its outcomes of single trials kept in `data/study`. It answers
#
# - which of the paper's sentences hold here, which do not, and what decided it;
# - whether a verdict hangs on a choice: the rule of success, how false alarms are pooled, equations or released code;
# - what each part of gweEBP adds.
#
# How it is made:
#
# - **A training is a replication.** Training $k$ of a network is tested on every fifth of 1,500 people, and on nobody else's. So the
#   trainings are independent repetitions of the whole experiment, and intervals are Student's $t$ over them: with $x_k$ a figure, or a
#   difference of two methods on the same trials, in training $k$ of $K$,
#
# $$
# \bar x \pm t_{K-1}\, \frac{s}{\sqrt K}, \qquad s^2 = \frac{1}{K-1} \sum_k (x_k - \bar x)^2 .
# $$
#
# - **The rules came first.** What each sentence of the paper is compared by, and the sizes, were committed before any map of the study was
#   computed; the table below names the commit.
# - **Rivals** that read only the embedding get the fewest masks whose maps rank pixels as those of their authors' full budget do.
# - **Truth.** The pixels of the exchanged part that visibly changed, by more than four grey levels: of a region often less than half.

# %% tags=["parameters"]
study = "data/study"  # the folder of the study's outcomes
margin = 0.05  # a smaller difference is not noticeable, a big one is above this
alpha = 0.05  # level of each sentence
samples = 20  # triplets on which the fills of masks are compared
masks = 96  # random masks of each of them
# %% tags=["hide-input"]
import pandas as pd
import torch
from IPython.display import Markdown
from myst_nb import glue

from gweebp import figures, networks
from gweebp.experiment import claims, scores
from gweebp.experiment.build import located
from gweebp.experiment.paper import METHODS
from gweebp.experiment.study import (
    fills,
    people,
    standings,
    summary,
    variants,
    verdicts,
    words,
)
from gweebp.experiment.study.evidence import of_study
from gweebp.experiment.study.outcomes import read
from gweebp.experiment.tables import captioned, frame
from gweebp.faces.synthetic.world import World
from gweebp.methods.names import label_of
from gweebp.networks import as_input

TOLD = ("center", "ebp", "cebp", "ecebp", "gweebp")

# %% [markdown]
# ## How far it is

# %%
folder = located(study)
runs = of_study(folder)
captioned(
    frame(summary.progress(runs), "run"),
    "How far the study is.",
)

# %% tags=["hide-input"]
lacking = summary.missing(runs, METHODS)
Markdown(
    f"**The study is not complete**: {lacking}. What is judged below is judged on what is there; `make study` goes on."
    if lacking
    else "The study is complete."
)

# %% [markdown]
# ## The paper, sentence by sentence
#
# By the rule of the [results chapter](results), on the mean SR up to FAR 10 % in the inpainting game. Each bar shows how many of a
# sentence's comparisons are for it, open, and against it:

# %% tags=["hide-input", "remove-output"]
judged = claims.judge(runs, margin=margin, alpha=alpha)
rows = verdicts.verdicts(runs, judged, margin=margin, alpha=alpha)
glue("fig-study-verdicts", figures.verdicts(*verdicts.bars(rows)))

# %% [markdown]
# ```{glue:figure} fig-study-verdicts
# :name: fig-study-verdicts
# :alt: One bar for each sentence of the paper, split into comparisons for it, open, against it and not made yet, with the verdict at its right.
#
# The paper's sentences and what the study's comparisons say of each. One against contradicts a sentence about all; for it must be every
# one. A sentence about *most* of its cases needs more than half of them.
# ```

# %% tags=["hide-input"]
captioned(
    frame(
        [
            {
                "": row.claim,
                "the paper says": f"“{row.words}” ({row.where})",
                "compared here": row.ours,
                "verdict": row.text,
                "decided by": row.decided,
                "what would decide it": row.more or "–",
            }
            for row in rows
        ],
        "",
    ),
    "The paper's sentences, their verdicts, what decided each, and what would decide those that are not resolved.",
)

# %% [markdown]
# *What would decide it* is computed: with K trainings in place of those made, each on people of its own, the error of a comparison falls with
# √K and its Student's t has K − 1 degrees of freedom; the first K at which the same rule gives another verdict is named, with that verdict.
# It takes the differences and the scatter as they were found, so that it says how far away a decision is, and not which one will come. A
# comparison whose interval lies on the other side of its bar can still be open: one of thirty does so by chance more often than one of
# two, and Holm's correction takes that into account.

# %% tags=["hide-input"]
behind = verdicts.beaten_by(judged)
Markdown(
    f"In one line: {verdicts.sentence(rows)}.\n\nWhere a sentence says that gweEBP leads and it is clearly behind: "
    + (
        "; ".join(f"{key}: {words.list_of(names)}" for key, names in behind.items())
        or "nowhere"
    )
    + "."
)

# %% [markdown]
# *Preliminary*: what decided it was played by fewer than three trainings, so that its interval is over the people of one or two of them
# alone. Do the verdicts hang on a choice? The same claims with one thing changed at a time:

# %%
captioned(
    pd.DataFrame(summary.views(folder), index=[claim.key for claim in claims.CLAIMS]),
    "Verdicts of the claims with one choice changed at a time.",
)

# %% [markdown]
# - **τ rule**: a blend succeeds within the threshold of the twin, as the paper says; what decides is the released code's *nearer to the twin
#   than to the mate*.
# - **FAR of each image**: the false alarm rate is measured image by image, not pooled over images.
# - **all FAR**: the area under the whole curve, not up to 10 %.
# - **released code's gweEBP**, **maps**: the code's maps in place of those by the equations, for gweEBP alone and for its whole family.
# - **truth, false alarm**: what a map should find is the exchanged region, or the pixels in it that visibly changed.

# %% [markdown]
# ## What a comparison could have seen
#
# The true distance from the bar that a comparison finds in about three of four repetitions, by sentence: the median and the largest.

# %%
rows = [
    {
        "claim": j.claim.key,
        "sentence": f"“{one.sentence.words}”",
        "median": f"{pd.Series([f.detectable for f in one.findings]).median():.3f}",
        "largest": f"{max(f.detectable for f in one.findings):.3f}",
    }
    for j in judged
    for one in j.sentences
    if one.findings
]
captioned(
    frame(rows, "claim"),
    "Distance from the bar that a comparison finds in three of four repetitions.",
)

# %% [markdown]
# ## All methods

# %% tags=["remove-output", "hide-input"]
for game, label in (
    ("hiding", "area under TPR"),
    ("inpainting", "mean SR up to FAR 10 %"),
    ("truth", "average precision for what was changed"),
):
    glue(
        f"fig-study-{game}", figures.forest(summary.estimates(runs, game), xlabel=label)
    )

# %% [markdown]
# ```{glue:figure} fig-study-hiding
# :name: fig-study-hiding
# :alt: One panel for each network and dataset; a point with a bar for each method, its area in the hiding game.
#
# Hiding game: means over trainings, with 95 % intervals. Dotted: the random order.
# ```
#
# ```{glue:figure} fig-study-inpainting
# :name: fig-study-inpainting
# :alt: One panel for each network and dataset; a point with a bar for each method, its figure in the inpainting game.
#
# Inpainting game: means over trainings, with 95 % intervals. Dotted: the random order.
# ```
#
# ```{glue:figure} fig-study-truth
# :name: fig-study-truth
# :alt: One panel for each network and dataset; a point with a bar for each method, the average precision of its maps for the pixels that changed.
#
# The maps themselves against what visibly changed: average precision, no game. Dotted: the random order.
# ```

# %% [markdown]
# ## What each part of gweEBP does
#
# gweEBP less itself with one thing changed, on the same trials. Right of zero the method as printed is better:

# %% tags=["remove-output", "hide-input"]
for game in ("hiding", "inpainting"):
    found = variants.ablations(runs, game)
    glue(
        f"fig-study-ablation-{game}",
        figures.differences(found, xlabel=f"gweEBP less the variant, {game} game"),
    )

# %% [markdown]
# ```{glue:figure} fig-study-ablation-hiding
# :name: fig-study-ablation-hiding
# :alt: One panel for each network and dataset; a point with a bar for each changed part, the paper's gweEBP less the variant in the hiding game, about a line at zero.
#
# Hiding game, area under TPR: gweEBP less each variant, with 95 % intervals over people and trainings; of what one training has played
# so far, over its people alone.
# ```
#
# ```{glue:figure} fig-study-ablation-inpainting
# :name: fig-study-ablation-inpainting
# :alt: One panel for each network and dataset; a point with a bar for each changed part, the paper's gweEBP less the variant in the inpainting game, about a line at zero.
#
# Inpainting game, mean SR up to FAR 10 %: gweEBP less each variant.
# ```

# %% tags=["hide-input"]
lines = [
    f"- {title}: clearly better with {words.list_of(better) or 'no change'}; clearly worse with {words.list_of(worse) or 'no change'}."
    for title, found in variants.ablations(runs, "inpainting").items()
    for better, worse in [variants.sides(found)]
]
Markdown("In the inpainting game, gweEBP becomes\n\n" + "\n".join(lines))

# %% [markdown]
# Training without doppelgängers among the negatives is one more change, of another network: its row of the table stays empty until it is
# played.

# %% tags=["hide-input"]
plain = of_study(folder, [("synthetic-composite", "lcnn9_plain")])
captioned(
    frame(
        [
            {"trained": label, "game": game}
            | {
                label_of(m): scores.with_interval(x, 2)
                for m, x in next(
                    iter(summary.estimates(found, game, TOLD).values()), {}
                ).items()
            }
            for label, found in (
                (
                    "with doppelgängers",
                    [r for r in runs if r.title.startswith("LCNN9, comp")],
                ),
                ("without", plain),
            )
            for game in ("hiding", "inpainting")
            if found
        ],
        "trained",
    ),
    "Trained with and without doppelgängers among the negatives, with 95 % intervals.",
)

# %% [markdown]
# ## A blob that reads nothing
#
# gweEBP less a blob in the centre of the image, which reads neither image nor network:

# %% tags=["hide-input"]
captioned(
    frame(
        [
            {"game": game}
            | {
                title: scores.with_interval(row["blob"])
                for title, row in summary.differences(
                    runs, game, {"blob": ("gweebp", "center")}
                ).items()
            }
            for game in ("hiding", "inpainting", "truth")
        ],
        "game",
    ),
    "gweEBP less the blob in the centre, with 95 % intervals.",
)

# %% tags=["hide-input"]
beaten, methods = standings.beaten_by(runs, "inpainting")
Markdown(
    f"In the inpainting game the blob beats {words.span(beaten)} of {methods} methods. A part that lies in the middle "
    "of the face is found by whoever looks there: the chapter on the inpainting game shows it part by part."
)

# %% [markdown]
# ## What CorrRISE asks, and what the hiding game asks
#
# On composites and VGG16, CorrRISE can do as badly as a random order in the hiding game, or worse. Two things can make it so, and neither is a
# fault of its code:
#
# - *Ties.* {cite:t}`lu2024corrrise` rank the signed map whole. Clamped at 0, about half of its pixels are tied; the game hides ties pixel
#   by pixel, and a fine mixture of a sketch and a photo may be mistaken at once, whatever the order of the rest.
# - *The fill.* Its masks fade to grey. What grey does to a similarity need not be what the photo's pixels do, which the game puts in place of
#   the sketch's. The same correlations, with masks that show the game's own fill, are the same method asked the game's question.
#
# On people who play no game of the study:

# %%
_, record = read(folder / "synthetic-composite" / "vgg16-0" / "white.npz")
net = networks.load(
    located("data/checkpoints/study/synthetic-composite/vgg16-0.safetensors")
)
world = World("composite", 160, seed=record["seed"], error=0.4)
faces = people.people(world, 6 * samples, 0, first=people.ASIDE)
probe, gallery = (as_input(net, x) for x in (faces.sketches, faces.photos))
with torch.no_grad():
    own, others = (torch.nn.functional.normalize(net(x)) for x in (probe, gallery))
distance = torch.cdist(own, others)
first, second = distance.topk(2, largest=False).indices.T
found = (first == torch.arange(len(first))).nonzero().flatten()[:samples]
triplet = probe[found], gallery[found], gallery[second[found]]
areas = fills.orders(net, triplet, masks)
captioned(
    pd.DataFrame(
        {"area under TPR": {name: f"{value:.3f}" for name, value in areas.items()}}
    ),
    "Area under TPR by what the masks of CorrRISE are filled with.",
)

# %% tags=["hide-input"]
random = areas["random, blocks of 1 pixels"]
clamped, whole = areas["CorrRISE, clamped at 0"], areas["CorrRISE, ranked whole"]
own_fill = areas["the same, fading to the game's own fill"]
Markdown(
    f"A random order of single pixels has an area of {random:.2f}. CorrRISE clamped at 0 is {'above' if clamped > random else 'below'} it "
    f"({clamped:.2f}), ranked whole {'above' if whole > random else 'below'} it ({whole:.2f}). With the game's own fill it reaches "
    f"{own_fill:.2f}: the {'fill' if own_fill - whole > whole - clamped else 'clamp'} makes the larger difference here. The study ranks it whole."
)

# %% [markdown]
# ## What would falsify it
#
# - *That trainings are replications*, if one person were tested by two of them: a test looks.
# - *That the outcomes are what the code gives*: a test computes single trials again from the kept weights. To repeat any one of them, see
#   `data/study/README.md`.
# - *That the verdicts hang on no choice*: a row above whose entries differ.
