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
# # Equations as printed, code as released
#
# ```{admonition} What you will learn
# - in which points the authors' released code departs from the paper's equations;
# - how much each point changes a map, switched by itself;
# - which of the two, equations or code, wins the games.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
build = "_build/book"  # the folder of the results
networks = "vgg16,lcnn9"  # the networks to show, separated by commas
datasets = (
    "synthetic-composite,synthetic-drawn"  # the datasets to show, separated by commas
)
samples = 12  # triplets of each run whose maps are compared
resamples = 2000  # bootstrap resamples behind each interval
seed = 0  # of the bootstrap
study = "data/study"  # the folder of the study's outcomes; "" to leave them out

# %% tags=["hide-input"]
import warnings

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from myst_nb import glue

import gweebp
from gweebp import figures
from gweebp.experiment import sanity_checks, scores
from gweebp.experiment.build import located, open_runs
from gweebp.experiment.study import summary, variants, words
from gweebp.experiment.study.evidence import of_study
from gweebp.experiment.tables import captioned
from gweebp.experiment.typical_face import typical_face
from gweebp.methods.names import label_of
from gweebp.networks import as_input

# %% tags=["hide-input", "remove-output"]
case = typical_face()
switched = {
    "equations": dict(method="gweebp"),
    "cosine gain": dict(method="gweebp", gain="cosine"),
    "divisor": dict(method="gweebp", rule="paper-code"),
    "smoothing": dict(method="gweebp", smoothing="image"),
    "code": dict(method="gweebp-paper-code"),
}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", gweebp.LostMassWarning)
    drawn = {
        k: gweebp.explain(case.net, *case.triplet, **s)[0] for k, s in switched.items()
    }
titles = ["OP", "IP", "", *(f"{k} {case.precision(x):.2f}" for k, x in drawn.items())]
pictures = [case.images[0], case.images[2], *[case.images[0]] * (1 + len(drawn))]
outlines = [None, case.region, None, *[case.region] * len(drawn)]
shown = [None, None, None, *drawn.values()]
glue("face", figures.image_grid(pictures, titles, maps=shown, regions=outlines))

# %% [markdown]
# ```{glue:figure} face
# :name: fig-paper-code-face
# :alt: A sketch, the same with other eyes, outlined, then the sketch under gweEBP's map by the equations, with each point switched to the code's choice, and by the whole code.
#
# gweEBP by the equations, with one point at a time switched to the code's choice, and by the whole code; beside each its average precision
# against the outlined part.
# ```

# %% tags=["hide-input"]
alike = sanity_checks.similarity(
    *(gweebp.resize(drawn[k][None], case.net.size) for k in ("equations", "code"))
)
Markdown(
    f"The rank correlation of the two maps, equations and code, is {alike.item():.2f} on this face."
)

# %% [markdown]
# How much of the result depends on the equations of the paper, and how much on what the authors' code does? The released
# code departs from the equations in these points. Each is an option here:
#
# | point | equations {cite:p}`wang2025gweebp` | code as released | option |
# |---|---|---|---|
# | gain | triplet gain with a hinge, {eq}`eq-5` | $\cos(p, m) - \cos(p, n)$ | `gain="cosine"` |
# | divisor | the sum over excitatory children, {eq}`eq-3`, {eq}`eq-4` | the parent's own response, bias included | `rule="paper-code"` |
# | streams | added as they are | each of the four divided by its sum first | `rule="paper-code"` |
# | map | the channel sum | for gweEBP, cEBP and ecEBP: bicubic to the image, then a Gaussian of $\sigma = 2$ pixels | `smoothing="image"` |
# | | | for EBP, eEBP, tcEBP and etcEBP: a Gaussian of $\sigma = 2$ *cells of the layer* | `smoothing="layer"` |
#
# The last point treats methods unequally: a cell of LCNN9's layer is 8 pixels wide, one of VGG16's 16, so the code's EBP and
# tcEBP are 8 or 16 times more blurred than its gweEBP. `method="gweebp"` is the equations, `method="gweebp-paper-code"`
# the code; both know the options, so that each point can be switched by itself. The rule agrees with the outputs of the
# code itself to rounding, its final maps on the full LCNN9 included (tested).
#
# ## By hand
#
# Two children with the responses $a$ and two parents, $y = W a + b$, of which the first has a large bias. By the equations
# a parent's probability goes to the children in the shares of what they contribute; the bias gets nothing. Divided by
# the response, what a bias holds is missing from the shares. Where there is one parent, the division of the stream by
# its sum brings them back. Where there are two, a parent with a large bias counts for less.

# %%
a, W, b = np.array([1.0, 1.0]), np.array([[1.0, 3.0], [3.0, 1.0]]), np.array([4.0, 0.0])
above = np.array([2.0, 1.0]) * (
    W @ a + b
)  # the mate's row of the head, times the responses
above /= above.sum()  # the parents' probabilities
hand = {}
for rule, divisor in {"equations": W @ a, "paper-code": W @ a + b}.items():
    shares = W * a / divisor[:, None]  # Eq. (3): W and a are positive
    hand[rule] = above @ shares / (above @ shares).sum()
    found = f"shares of the first parent {shares[0]}, children {hand[rule].round(3)}"
    print(f"{rule:10} {found}")

# %% tags=["remove-cell"]
for name, value in {
    "parent": above[0],
    "equations": hand["equations"][1],
    "code": hand["paper-code"][1],
}.items():
    glue(name, f"{value:.3g}", display=False)

# %% [markdown]
# The first parent holds {glue:text}`parent` and sends most of it to the second child, which gets {glue:text}`equations` by the
# equations. By the code the first parent's share is cut by its bias before both parents are added, and
# {glue:text}`code` is left of it. The library, on the same network:

# %%
net = torch.nn.Sequential(
    torch.nn.Conv2d(2, 2, 1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(2, 2)
)
with torch.no_grad():
    (
        net[0].weight.copy_(torch.tensor(W).view(2, 2, 1, 1)),
        net[0].bias.copy_(torch.tensor(b)),
    )
    net[3].weight.copy_(torch.eye(2)), net[3].bias.zero_()
probe, mate, nonmate = (
    torch.ones(1, 2, 1, 1),
    torch.tensor([[2.0, 1.0]]),
    torch.tensor([[1.0, 2.0]]),
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", gweebp.LostMassWarning)
    for rule, expected in hand.items():
        p = gweebp.mwp(
            net, probe, mate, nonmate, layer="input", weighted=False, rule=rule
        ).flatten()
        print(f"{rule:10} children {(p / p.sum()).numpy().round(3)}")
        assert np.allclose(p / p.sum(), expected, rtol=0, atol=1e-6)

# %% [markdown]
# ## How far the maps differ
#
# Each switch alone, on triplets of the hiding game: the rank correlation of its maps with those of the equations.

# %% tags=["hide-input"]
runs = open_runs(build, datasets, networks)
switches = {
    "gain": dict(method="gweebp", gain="cosine"),
    "divisor and streams": dict(method="gweebp", rule="paper-code"),
    "smoothing": dict(method="gweebp", smoothing="image"),
    "gain, divisor and streams": dict(method="gweebp-paper-code", smoothing="none"),
    "all": dict(method="gweebp-paper-code"),
}
rows = []
for run in runs:
    count = min(samples, len(run.trials["hiding"]["probe"]))
    images = [
        as_input(run.net, torch.cat(x))
        for x in zip(*(run.triplet(i) for i in range(count)))
    ]
    maps = {
        name: sanity_checks.explain_choice(run.net, *images, **s)
        for name, s in switches.items()
    }
    at_image = {name: gweebp.resize(x, run.net.size) for name, x in maps.items()}
    printed = gweebp.resize(
        sanity_checks.explain_choice(run.net, *images, method="gweebp"), run.net.size
    )
    found = {name: sanity_checks.similarity(printed, x) for name, x in at_image.items()}
    rows.append(
        {"run": run.title}
        | {name: f"{x.nanmean().item():.2f}" for name, x in found.items()}
    )
captioned(
    pd.DataFrame(rows).set_index("run"),
    "Rank correlation of the maps by the equations with those of each switch.",
)

# %% tags=["hide-input"]
Markdown(f"Mean over up to {samples} triplets; 1 is the same order of the pixels.")

# %% [markdown]
# ## Which of the two wins the games

# %% tags=["remove-output", "hide-input"]
options = {"resamples": resamples, "seed": seed}
pair = {"gweebp-paper-code": ("gweebp", "gweebp-paper-code")}
leads = {
    name: scores.differences(runs, name, pair, **options)
    for name in ("hiding", "inpainting", "inpainting-10")
}
by_measure = {
    title: {
        scores.MEASURES[name].label: row[title]["gweebp-paper-code"]
        for name, row in leads.items()
        if title in row
    }
    for title in dict.fromkeys(t for row in leads.values() for t in row)
}
glue(
    "fig-paper-code",
    figures.differences(by_measure, xlabel="equations minus code")
    if by_measure
    else figures.note("gweebp-paper-code was not played in this profile"),
)

# %% [markdown]
# ```{glue:figure} fig-paper-code
# :name: fig-paper-code
# :alt: One panel for each network and dataset. For each measure a point with a bar, the equations' figure minus the released code's, about a line at zero.
#
# The equations minus the code as released, on the same trials, with 95 % intervals. Right of zero the equations do
# better, left of it the code does.
# ```
#
# ## What the numbers say

# %% tags=["hide-input"]
lines, sides = [], []
for title, row in by_measure.items():
    for label, found in row.items():
        side = (
            "the equations"
            if found.low > 0
            else "the code"
            if found.high < 0
            else "no clear difference"
        )
        sides.append(side)
        lines.append(
            f"- {title}, {label}: {scores.with_interval(found)}; ahead: {side}."
        )
said = (
    f"Of {len(sides)} comparisons, the code is ahead in {sides.count('the code')}, the equations in "
    f"{sides.count('the equations')}; {sides.count('no clear difference')} show no clear difference.\n\n"
)
Markdown(said + "\n".join(lines) if lines else "Not played in this profile.")

# %% [markdown]
# ## The same on more people, over trainings
#
# In the [study](study): the equations minus the code as released, over several trainings of each network, each tested on people of its own.

# %% tags=["hide-input"]
kept = of_study(located(study)) if study else []
both = {
    game: {
        title: row["code"]
        for title, row in summary.differences(
            kept, game, {"code": ("gweebp", "gweebp-paper-code")}
        ).items()
    }
    for game in ("hiding", "inpainting")
}
missing = (
    "Not played in the study yet." if kept else "This profile does not read the study."
)
captioned(
    pd.DataFrame(
        {
            f"{game} game": {
                title: scores.with_interval(d, 2) for title, d in found.items()
            }
            for game, found in both.items()
        }
    ),
    "Equations less released code in the study, with 95 % intervals.",
) if any(both.values()) else Markdown(missing)

# %% tags=["hide-input"]
lines = []
for game, found in both.items():
    code, equations = variants.sides(found)
    lines.append(
        f"in the {game} game the code is clearly ahead on {words.list_of(code) or 'none'}, the equations on {words.list_of(equations) or 'none'}"
    )
Markdown(f"So {'; '.join(lines)}.") if any(both.values()) else None

# %% [markdown]
# ## How much of the ranking is the unequal blur?
#
# The study plays gweEBP, EBP, cEBP and tcEBP in four ways on the same trials: by the equations; by the equations with the smoothing that the
# code gives each of them; by the code's rule without smoothing; and by the code as released. gweEBP less each rival, both in that way:

# %% tags=["hide-input"]
tables = {
    (game, way): found
    for game in ("hiding", "inpainting")
    for way, found in variants.leads(kept, game).items()
}
rows = [
    {"game": game, "way": way, "less": rival}
    | {
        title: scores.with_interval(row[rival], 2)
        for title, row in found.items()
        if rival in row
    }
    for (game, way), found in tables.items()
    for rival in map(label_of, variants.RIVALS)
]
captioned(
    pd.DataFrame(rows).set_index(["game", "way", "less"]).fillna(""),
    "gweEBP less each rival, both made in the same way, with 95 % intervals.",
) if rows else None

# %% [markdown]
# What the smoothing alone adds to the lead by the equations, a difference of differences on trials that all four maps were played on:

# %% tags=["remove-output", "hide-input"]
smooth = "equations, released smoothing"
blur = {
    f"{title}, {game}": row
    for game in ("hiding", "inpainting")
    for title, row in variants.added(kept, game, smooth).items()
}
glue(
    "fig-blur",
    figures.differences(blur, xlabel="what the blur adds to gweEBP's lead")
    if blur
    else figures.note(missing),
)

# %% [markdown]
# ```{glue:figure} fig-blur
# :name: fig-blur
# :alt: One panel for each network, dataset and game; for EBP, cEBP and tcEBP a point with a bar, what the released smoothing adds to gweEBP's lead over it.
#
# How much the released smoothing adds to gweEBP's lead over EBP, cEBP and tcEBP. Right of zero the smoothing favours gweEBP.
# ```

# %% tags=["hide-input"]
lines = []
for title, row in blur.items():
    against, favours = variants.sides(row)
    lines.append(
        f"- {title}: it favours gweEBP over {words.list_of(favours) or 'none'}, and the other over gweEBP for {words.list_of(against) or 'none'}."
    )
Markdown("\n".join(lines) or missing)

# %% [markdown]
# ## What would falsify it
#
# - *That the difference does not matter*, if one of the two were resolved ahead in most panels.
# - *That our rule is the code's*, if a network were found on which the code itself gives another map.
#
# ## Summary
#
# - The code uses the cosine gain, divides by the parent's response, brings each stream to sum 1, and smooths the map.
# - It smooths EBP and tcEBP by cells of the layer, and gweEBP by pixels: the methods are not treated alike.
# - `method="gweebp"` is the equations and `method="gweebp-paper-code"` the code. Each point is an option.
#
# ## Exercises
#
# **1.** Set the toy's bias to 0. Do equations and code still differ?

# %% tags=["hide-cell"]
# Answer: no. Without a bias the response is the sum over the children.
no_bias = np.array([2.0, 1.0]) * (W @ a)
no_bias /= no_bias.sum()
both = [no_bias @ (W * a / divisor[:, None]) for divisor in (W @ a, W @ a + 0)]
assert np.allclose(*both)
print("children", both[0].round(3))

# %% [markdown]
# **2.** Which bias of the first parent brings the code's shares of it to one half of the equations'?

# %% tags=["hide-cell"]
# Answer: as much bias as its children contribute: the response is then twice their sum.
contributed = (W @ a)[0]
assert np.allclose(W[0] * a / (contributed + contributed), W[0] * a / contributed / 2)
print("bias", contributed)
