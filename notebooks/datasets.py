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
# # The faces
#
# ```{admonition} What you will learn
# - how a world of drawn people stands in for two sets of sketches that may not be passed on;
# - what an eyewitness forgets, as one formula, and what a {term}`doppelgänger` is;
# - what such a world can show about a method, and what it cannot.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
build = "_build/book"  # the folder of the results
networks = "vgg16,lcnn9"  # the networks to show, separated by commas
datasets = (
    "synthetic-composite,synthetic-drawn"  # the datasets to show, separated by commas
)
people = 6  # how many people the contact sheet shows
sample = 0  # whose doppelgängers: a test subject, from 0
error = 0.45  # ε of the eyewitness in the worked example, 0 to 1

# %% tags=["hide-input"]
import pandas as pd
import torch
from IPython.display import Markdown
from myst_nb import glue

from gweebp import figures
from gweebp.experiment.build import open_runs
from gweebp.experiment.paper import STANDS_FOR
from gweebp.experiment.tables import captioned
from gweebp.faces import PARTS, synthetic
from gweebp.faces.synthetic import parameters

# %% tags=["hide-input", "remove-output"]
runs = open_runs(build, datasets, networks)
sets = {run.dataset: run for run in runs}  # the runs of a dataset share its faces
sheet, rows = [], []
for name, run in sets.items():
    chosen = run.faces.test[:people]
    for label, images in (("photo", run.faces.photos), ("sketch", run.faces.sketches)):
        sheet += list(images[chosen])
        rows.append(f"{name.removeprefix('synthetic-')}\n{label}")
glue(
    "fig-people", figures.image_grid(sheet, rows=rows, columns=len(sheet) // len(rows))
)

# %% [markdown]
# ```{glue:figure} fig-people
# :name: fig-people
# :alt: Rows of faces of test subjects, for each set a row of photos and below it the sketches of the same people.
#
# Test subjects: photographs, and below each the sketch that is to find it.
# ```

# %% tags=["hide-input"]
lines = [
    f"- {name}: {len(run.faces.test)} people to test on, {len(run.faces.gallery())} photos "
    f"in the gallery, {len(run.candidates)} candidates with one exchanged part."
    for name, run in sets.items()
]
Markdown("\n".join(lines))

# %% [markdown]
# What do the networks see? A set of people, each with one photograph and one sketch, split into people to train on,
# to validate with, and to test on; further photographs that enlarge the gallery; and, for the inpainting game,
# doppelgängers.
#
# The paper uses UoM-SGFS {cite:p}`galea2016uomsgfs`, composites made with software from an eyewitness's memory, and
# CUHK {cite:p}`wang2009cuhk`, drawings by an artist who sees the photograph. Neither may be passed on with a book, so
# the default is a procedural world that draws its own people, in two kinds of sketch:
#
# | Our set | stands for | how a sketch is made |
# |---|---|---|
# | `synthetic-composite` | UoM-SGFS | another rendering, smooth and grey, from a faulty memory of the face |
# | `synthetic-drawn` | CUHK | pencil lines and hatching from the photograph, with little fault |
# | `cuhk` | CUHK itself | by an artist; read from a folder of yours |
#
# A person is a vector $z$ of independent standard normal *latents*, some for each of the paper's six parts (hair,
# eyebrows, eyes, nose, mouth, skin) and some that the parts share, such as complexion. An eyewitness remembers
#
# $$
# z' = \sqrt{1 - \varepsilon^2}\, z + \varepsilon\, u, \qquad u \sim \mathcal N(0, I),
# $$
#
# The remembered face is as typical as the real one, and correlates with it by $\sqrt{1 - \varepsilon^2}$: the error $\varepsilon$ is what makes
# the task hard. A {term}`doppelgänger` is the same $z$ with the latents of one part exchanged for another person's.
#
# ## By hand: memory
#
# One latent, ten thousand people, three eyewitnesses. Memory keeps the spread of the population and loses the person:

# %%
z, u = torch.randn(2, 10_000, generator=torch.Generator().manual_seed(0))
rows = {}
for eps in (0.1, error, 0.9):
    remembered = (1 - eps**2) ** 0.5 * z + eps * u
    alike = torch.corrcoef(torch.stack([z, remembered]))[0, 1]
    rows[f"ε = {eps}"] = {
        "spread of z′": f"{remembered.std():.2f}",
        "correlation with z": f"{alike:.2f}",
        "√(1 − ε²)": f"{(1 - eps**2) ** 0.5:.2f}",
    }
captioned(
    pd.DataFrame(rows).T,
    "Spread and correlation of what is remembered, by the error ε.",
)

# %% [markdown]
# The library does this to every trait, with a smaller $\varepsilon$ for traits that witnesses remember well. With $z = 0$ and
# $u = 1$ the table shows each trait's $\varepsilon$:

# %%
nobody, ones = torch.zeros(1, parameters.COUNT), torch.ones(1, parameters.COUNT)
left = parameters.misremember(nobody, ones, error)[0]
assert torch.allclose(
    left, torch.tensor([error * row.remembered for row in parameters.PARAMETERS])
)
latents = pd.DataFrame(
    {"part": [row.part for row in parameters.PARAMETERS], "ε": left.numpy().round(2)}
)
latents.groupby("part", sort=False)["ε"].agg(["count", "min", "max"]).rename(
    columns={"count": "latents"}
).rename_axis(None)

# %% [markdown]
# ## One person, six doppelgängers
#
# The world draws a person from a seed and a number alone. Here is test subject number {glue:text}`sample` of each set,
# first unchanged, then with one part after the other exchanged. The outline is the region in which the sketch changed:
# the part as it was, the part as it is, and what else it touches, a shadow or a soft edge.

# %% tags=["remove-output", "hide-input"]
glue("sample", str(sample), display=False)
with_twins = {name: run.candidates for name, run in sets.items() if len(run.candidates)}
sheet, regions, rows = [], [], []
for name, four in with_twins.items():
    kind = name.removeprefix("synthetic-")
    mine = slice(sample * len(PARTS), (sample + 1) * len(PARTS))
    sheet += [four.op[mine][0], *four.ip[mine], four.om[mine][0], *four.in_[mine]]
    mates = (
        [None] * len(PARTS)
        if four.mate_region is None
        else list(four.mate_region[mine])
    )
    regions += [None, *four.region[mine], None, *mates]
    rows += [f"{kind}\nsketch", f"{kind}\nphoto"]
titles = ["as is", *PARTS] + [""] * (len(sheet) - len(PARTS) - 1)
NONE = "The people of this set are real: they have no exact doppelgängers, and there is nothing to show here."
twins = (
    figures.image_grid(
        sheet, titles, regions=regions, rows=rows, columns=len(PARTS) + 1
    )
    if sheet
    else None
)
glue("fig-doppelgangers", twins or figures.note(NONE))

# %% [markdown]
# ```{glue:figure} fig-doppelgangers
# :name: fig-doppelgangers
# :alt: For each synthetic set a row of sketches and a row of photos of one person: first unchanged, then with the hair, eyebrows, eyes, nose, mouth or skin of another person, the changed region outlined.
#
# A person and six doppelgängers. In the terms of the [inpainting game](inpainting_game), the first column is OP above
# OM, each further column IP above IN.
# ```
#
# Outside the outline nothing should change. The last column counts the pixels that did, over all candidate quadruplets of the
# synthetic sets; the others say which share of the image each part's region takes, which matters to a coarse map:

# %%
shares = {}
for name, four in with_twins.items():
    outside = ((four.op != four.ip).any(1) & ~four.region).sum()
    by_part = {
        part: f"{four.region[four.part == k].float().mean():.1%}"
        for k, part in enumerate(PARTS)
    }
    shares[name] = by_part | {"pixels changed outside": str(int(outside))}
captioned(
    pd.DataFrame(shares, index=[*PARTS, "pixels changed outside"]).T,
    "Share of the image that each part takes, and pixels that changed outside.",
)

# %% [markdown]
# ## The sets of this build

# %%
sizes = {
    name: {
        "stands for": STANDS_FOR.get(name, ""),
        "pixels": "×".join(map(str, run.faces.photos.shape[2:])),
    }
    | run.faces.sizes
    | {"gallery": len(run.faces.gallery()), "quadruplets": len(run.candidates)}
    for name, run in sets.items()
}
captioned(
    pd.DataFrame(sizes),
    "People and pictures of each set.",
)

# %% [markdown]
# `train`, `validation` and `test` count people, split by identity: no person is in two of them. `distractors` are
# photographs of other people in the test gallery. `doppelgangers` are part-swapped copies of *training* people, hard
# negatives in training; `quadruplets` are candidates for the inpainting game, made of *test* people. An image
# that can't be read is skipped and listed:

# %% tags=["hide-input"]
skipped = [
    {"set": name} | item
    for name, run in sets.items()
    for item in run.faces.record.get("skipped", [])
]
captioned(
    pd.DataFrame(skipped, columns=["set", "item", "why"]),
    "What was skipped, and why.",
) if skipped else Markdown("*None was skipped.*")

# %% [markdown]
# ## A world of your own
#
# Kind, size, seed, error and numbers are arguments; this is how a profile makes its sets:

# %%
world = synthetic.faceset(
    "composite",
    subjects=4,
    distractors=0,
    size=64,
    seed=7,
    error=error,
    doppelgangers=0,
)

# %% tags=["remove-cell"]
glue(
    "fig-own",
    figures.image_grid(
        [*world.photos, *world.sketches], rows=["photo", "sketch"], columns=4
    ),
)

# %% [markdown]
# ```{glue:figure} fig-own
# :name: fig-own
# :alt: Four drawn faces in colour and below them the composites of an eyewitness with the error of this chapter's parameter.
#
# Four people of another world, and their composites.
# ```
#
# ## What a synthetic world can show, and what it can't
#
# It can show whether a *method* does what it says. The network is real, trained on these faces and nothing else; the
# cause of each change of identity is known to the pixel; a sample can be as large as needed, and every figure can be
# repeated in another world.
#
# It can't show how a network for real faces decides. These have no expression, hardly any pose, and vary in
# the ways that were written down, with parts that are independent of one another: of real people,
# noses and mouths are inherited together. A method that is best here is best at explaining networks of this kind on faces of this kind.
#
# ## What would falsify it
#
# As stand-ins, these sets fail if they are not about as hard as the paper's, or if the networks do not use all six parts. The
# [training chapter](training) measures both, and sets the numbers beside targets that the repository's history holds from before its first map.
# That the conclusions carry over to people can only be tested on people: [](../pages/running.md) says how.
#
# ## Summary
#
# - Each person of the synthetic world is a vector of latents. A photo and a sketch are two drawings of it.
# - A witness keeps how typical a face is, and loses who it is: the correlation falls to $\sqrt{1 - \varepsilon^2}$.
# - A doppelgänger differs in the latents of one part, and so in known pixels.
# - The world can show whether a method does what it says. It cannot show how a network for real faces decides.
#
# ## Exercises
#
# **1.** Which $\varepsilon$ leaves a correlation of one half between a face and its memory?

# %% tags=["hide-cell"]
# Answer: the square root of three quarters, for the correlation is √(1 − ε²).
eps = 0.75**0.5
faded = (1 - eps**2) ** 0.5 * z + eps * u
assert abs(torch.corrcoef(torch.stack([z, faded]))[0, 1] - 0.5) < 0.05
print(f"ε = {eps:.3f}")

# %% [markdown]
# **2.** Two witnesses remember the same face with error $\varepsilon$, independently. How alike are their memories?

# %% tags=["hide-cell"]
# Answer: by 1 − ε²: each is the face with a factor √(1 − ε²), and their errors share nothing.
one, two = torch.randn(2, len(z), generator=torch.Generator().manual_seed(1))
memories = [(1 - error**2) ** 0.5 * z + error * x for x in (one, two)]
found = torch.corrcoef(torch.stack(memories))[0, 1].item()
assert abs(found - (1 - error**2)) < 0.05
print(f"1 − ε² = {1 - error**2:.2f}")
