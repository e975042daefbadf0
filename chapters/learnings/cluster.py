# %% [markdown]
# # Looking back on large runs {#sec-learnings-cluster}
#
# A show that nobody believed, turned into a model that can be wrong. This page looks back on the track: what was asked,
# what came out, and what we would do otherwise. Each sentence about a result is chosen by a verdict.

# %%
from IPython.display import Markdown

from llmlab.book.show import badge, progress, says, statistics_of, value

# %% [markdown]
# ## The track in numbers

# %%
# | label: tbl-learnings-cluster
# | tbl-cap: "What each experiment took, summed over its runs, and what became of its hypotheses."
statistics_of("cluster")

# %% [markdown]
# ## A few formulas go far

# %%
Markdown(
    says(
        "H-PREDICT-1",
        supported="The step time of a model that was left out is predicted to within a tenth",
        refuted="The step time of a model that was left out is missed by more than a tenth",
        undecided="Whether the step time of a model left out is predicted to within a tenth is open",
        untested="How well the step time of a model left out is predicted is not tested yet",
    )
    + f" ({badge('H-PREDICT-1')}): off by {value('cluster_prediction', 'mean_absolute_error', predictor='simulator')}, "
    f"where a constant utilisation is off by "
    f"{value('cluster_prediction', 'mean_absolute_error', predictor='constant MFU')} "
    "(@sec-results-cluster-prediction). The physics does most of it; the fit only trims it: before any calibration the "
    f"error is {value('cluster_prediction', 'mean_absolute_error', predictor='uncalibrated')}, with starting values "
    "that were chosen with an eye on such runs."
)

# %% [markdown]
# What a datasheet does not say is left to shares that all runs have in common, never to a number of one row or one
# model. That rule cost accuracy on single runs and bought the right to speak of new ones. Where the software is not
# described (recomputation in one library, the balance of experts in all of them) no coefficient can help.
#
# ## Large clusters wait and break

# %%
Markdown(
    says(
        "H-SCALING-1",
        supported="With a fixed batch the pipeline's bubble takes over",
        refuted="With a fixed batch the pipeline's bubble grows less than we said",
        undecided="How much the bubble grows with a fixed batch is open",
        untested="How much the bubble grows with a fixed batch is not tested yet",
    )
    + f" ({badge('H-SCALING-1')}; @sec-results-cluster-scaling). "
    + says(
        "H-GOODPUT-2",
        supported="Young's interval of 1974 is good enough even where a checkpoint takes minutes",
        refuted="Young's interval of 1974 loses more than we allowed where a checkpoint takes minutes",
        undecided="Whether Young's interval is good enough where a checkpoint takes minutes is open",
        untested="Whether Young's interval is good enough is not tested yet",
    )
    + f" ({badge('H-GOODPUT-2')}; @sec-results-cluster-goodput)."
)

# %% [markdown]
# ## To look real, keep what is irregular

# %%
Markdown(
    says(
        "H-REALISM-1",
        supported="By numbers, simulated runs pass for real ones",
        refuted="By numbers, simulated runs are told from real ones",
        undecided="Whether simulated runs pass for real ones by their numbers is open",
        untested="Whether simulated runs pass for real ones is not tested yet",
    )
    + f" ({badge('H-REALISM-1')}; @sec-results-cluster-realism). "
    "Our first model had the right distribution and the right autocorrelation, and pilots still told it from real runs: "
    "it had no drift, no calm stretches, and no stalls that come on a schedule. Writing times down more finely than the "
    "real log does gave it away, too."
)

# %% [markdown]
# ## What we would do otherwise
#
# - *Hold runs back before the first look.* Pilots saw all published runs, so the verdicts on prediction and realism
#   measure more than they surprise. A third of the groups should have gone into a drawer on the first day.
# - *Test the judge before the judged.* A small GPT with few steps catches not even uniform sleeps. A control that can
#   fail belongs at the start.
# - *Describe the software.* Half of the error on new runs comes from what no table says: which kernels, how much is
#   recomputed, what overlaps. A column for it would be worth more than another formula.
#
# ## Where the track stands

# %%
progress("cluster")
