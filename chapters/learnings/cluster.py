# %% [markdown]
# # What simulating large runs taught {#sec-learnings-cluster}
#
# We turned an unconvincing animation of a training run into a model that can be wrong. This page looks back on the
# track: what we asked, what came out, and what we would do differently. A verdict chooses each sentence about a result.

# %%
from IPython.display import Markdown

from llmlab.book.show import cite, progress, says, statistics_of, value

# %% [markdown]
# ## A few formulas go far

# %%
Markdown(
    says(
        "H-PREDICT-1",
        supported="The simulator predicts the step time of a held-out model to within a tenth",
        refuted="The simulator misses the step time of a held-out model by more than a tenth",
        undecided="It is open whether the simulator predicts the step time of a held-out model to within a tenth",
        untested="We have not tested yet how well the simulator predicts the step time of a held-out model",
    )
    + f" (@sec-results-cluster-prediction; {cite('H-PREDICT-1')}). Assuming a constant utilisation is off by "
    f"{value('cluster_prediction', 'mean_absolute_error', predictor='constant MFU')}. The physics does most of the work, and the fit only refines it: before any calibration the "
    f"error is {value('cluster_prediction', 'mean_absolute_error', predictor='uncalibrated')}, with starting values "
    "that we chose knowing such runs."
)

# %% [markdown]
# Coefficients cover what no datasheet says. All runs share them; none belongs to a single row or model. That rule cost
# accuracy on single runs, but it lets us predict new ones. Where the software is not described, no coefficient can help:
# our largest error came from a word that two libraries use for different things, and went away once we had read the code
# of both. No library says how evenly tokens go to their experts.
#
# ## Large clusters wait and break

# %%
Markdown(
    says(
        "H-SCALING-1",
        supported="With a fixed batch, the pipeline's bubble takes over as the cluster grows",
        refuted="With a fixed batch, the pipeline's bubble grows less than we said",
        undecided="It is open how much the pipeline's bubble grows with a fixed batch",
        untested="We have not tested yet how much the pipeline's bubble grows with a fixed batch",
    )
    + f" (@sec-results-cluster-scaling; {cite('H-SCALING-1')}). "
    + says(
        "H-GOODPUT-2",
        supported="Young's interval from 1974 is good enough even where a checkpoint takes minutes",
        refuted="Young's interval from 1974 loses more than we allowed where a checkpoint takes minutes",
        undecided="It is open whether Young's interval is good enough where a checkpoint takes minutes",
        untested="We have not tested yet whether Young's interval is good enough",
    )
    + f" (@sec-results-cluster-goodput; {cite('H-GOODPUT-2')})."
)

# %% [markdown]
# ## To look real, keep the irregular parts

# %%
Markdown(
    says(
        "H-REALISM-1",
        supported="Judged by their numbers, simulated runs pass for real ones",
        refuted="Judged by their numbers, simulated runs can be told from real ones",
        undecided="It is open whether simulated runs pass for real ones, judged by their numbers",
        untested="We have not tested yet whether simulated runs pass for real ones",
    )
    + f" (@sec-results-cluster-realism; {cite('H-REALISM-1')}). "
    "Our first model had the right distribution and the right autocorrelation, but classifiers in pilots still told it from real runs: "
    "it had no drift, no calm stretches, and no stalls that come on a schedule. Writing times with more digits than the "
    "real log gave it away, too."
)

# %% [markdown]
# ## What we would do differently
#
# - *Hold runs back before the first look.* Pilots saw all published runs, so the verdicts on prediction and realism
#   confirm what we had seen more than they test it. We should have set a third of the groups aside on the first day.
# - *Test the judge before you judge.* A small GPT with few steps does not even catch uniform sleeps. Start with a
#   control that can fail.
# - *Describe the software.* Half of the error on new runs comes from what no table says: which kernels, how much
#   recomputation, what overlaps. A column for it is worth more than another formula. The first one, the version of
#   PyTorch, shows which runs recompute less; the next should be the release of each library.

# %% [markdown]
# ## The track in numbers

# %%
# | label: tbl-learnings-cluster
# | tbl-cap: "Cost of each experiment, summed over its runs, and the verdicts on its hypotheses; checks do not count."
statistics_of("cluster")

# %% [markdown]
# ## The state of the track

# %%
progress("cluster")
