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
# # Provenance
#
# ```{admonition} What you will learn
# - what ran to make this book, from which commit, on which machine, with which versions;
# - where the time and the memory went;
# - which command repeats any one stage.
#
# New here? [What you should know](../pages/prerequisites.md) is one short page.
# ```

# %% tags=["parameters"]
build = "_build/book"  # the folder of the results
networks = "vgg16,lcnn9"  # the networks to show, separated by commas
datasets = (
    "synthetic-composite,synthetic-drawn"  # the datasets to show, separated by commas
)

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown
from myst_nb import glue

from gweebp import figures
from gweebp.experiment import provenance
from gweebp.experiment.tables import captioned, frame

# %% [markdown]
# What ran, from which commit, with which versions, on what, for how long, and with how much memory? Every stage and every
# chapter writes a record of its run; this page reads them back. It holds no number of its own.
#
# The same commit, seed, versions, number of threads and kind of processor give the same numbers. Another number of threads or
# another processor changes the order in which floating-point sums are taken, and with it the last digits, which training then
# carries further; results are to be compared with tolerances.
#
# ## In short

# %%
records = provenance.collect(build)
Markdown("\n".join(f"- {sentence}" for sentence in provenance.summary(records)))

# %% [markdown]
# ## The stages
#
# In the order of the pipeline. Memory is the peak of the process, in MiB; of a chapter, that of its kernel.

# %%
captioned(
    frame([record.row() for record in records], "stage"),
    "Every run of this build.",
)

# %% tags=["remove-output", "hide-input"]
glue("fig-time", figures.bars(provenance.seconds_by_stage(records), xlabel="seconds"))

# %% [markdown]
# ```{glue:figure} fig-time
# :name: fig-time
# :alt: Horizontal bars, one for each kind of stage, with the seconds that all its runs took together.
#
# Where the time goes: seconds of all runs of a stage together, as if they had run one after the other.
# ```
#
# ## Versions

# %%
captioned(
    pd.DataFrame(provenance.versions(records)).T,
    "What stood behind them.",
)

# %% [markdown]
# ## Commands
#
# Each stage can be run again by hand, from the root of the repository, with `python -m` and the command that it recorded:

# %% tags=["hide-output"]
for record in records:
    print(f"{record.what}\n    {record.command}")

# %% [markdown]
# ## What would falsify it
#
# Two builds of one commit, profile, number of threads and kind of processor whose numbers differ; or a record that names a commit with
# `-dirty` at its end: then the package differed from that commit, and the code that computed the result cannot be found again.
#
# ## Summary
#
# - Every stage and every chapter writes a record of its run, and this page reads the records.
# - The same commit, seed, versions, threads and kind of processor give the same numbers.
#
# ## Exercises
#
# **1.** Which stage took the longest, all its runs together?

# %% tags=["hide-cell"]
# Answer: the longest bar of the figure.
seconds = provenance.seconds_by_stage(records)
longest = max(seconds, key=seconds.get)
assert seconds[longest] == max(seconds.values())
print(longest)

# %% [markdown]
# **2.** Were all records made from one commit?

# %% tags=["hide-cell"]
# Answer: count the commits: one means that nothing was mixed.
commits = {record.row()["commit"] for record in records}
assert commits
print(len(commits))
