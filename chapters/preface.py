# %% [markdown]
# # Preface {.unnumbered}
#
# This book asks small questions about training language models and answers them with runs that you can repeat. People
# write the explanations; the computer writes the results. This page shows how to read what the computer wrote.
#
# ## How to read a value
#
# A number with a dotted underline is a value. Hover over it, tap it, or look at its footnote in print to see where it
# comes from:

# %%
from IPython.display import Markdown

from llmlab.book.show import command, value, verdict

Markdown(
    "> Fine-tuned at the best learning rate, a base model of this book answers "
    f"{value('learning_rate', 'accuracy', tuned=['learning_rate'])} of the subtractions in its test set."
)

# %% [markdown]
# Each value carries
#
# - the **mean** over seeds and its **95 % confidence interval** (a *t* interval). A seed fixes everything random in a
#   run: the initial weights, the order of the data and, where there are several base models, which of them the run starts
#   from. Another seed would give another number; the interval says where the mean over many seeds is likely to be,
# - **n**, the number of seeds. With one seed there is no interval, and the value says so,
# - the **rows of the table** `runs.csv` that it was read from,
# - the **scale**, and the **commit** of the code that made the table.
#
# Tables show the same as *mean ± half of the interval*. The best condition is **bold**. A condition marked ≈ could not
# be told apart from the best one (paired *t* test over seeds, corrected for the number of conditions), so read nothing
# into the order of the two.
#
# ## How to read a verdict
#
# We write a hypothesis into the ledger *before* we see the result, with the metric, the two sides of the comparison and
# the margin that would count as a real difference. This is called preregistration [@nosek2018preregistration]; it keeps
# us from finding a story in whatever came out. The computer then judges the hypothesis. Here is a real verdict:

# %%
verdict("H-LR-5")

# %% [markdown]
# From top to bottom:
#
# - **The word.** *Supported*: the runs show that the claim holds, beyond what chance would explain. *Refuted*: they
#   show the opposite. *Undecided*: they allow either. *Untested*: there are no runs at a scale that counts. Each word
#   has its own colour and sign, so you need only one of the three to read it.
# - **The effect.** A difference between two shares is given in *points* (percentage points): from 30 % to 50 % is +20
#   points. Its interval covers 90 %, because a one-sided test at α = 0.05 leaves 5 % on either side. Values and tables
#   have 95 % intervals.
# - **The drawing.** The dot is the effect, the bar its interval, and the small dots below are the seeds. The shaded
#   area is the claim. A claim is supported when the whole bar lies inside the shaded area, and refuted when the whole
#   bar lies outside (the correction described below shifts this limit). For a claim about the *best* level
#   of something, the bar only shows where the best level falls when the seeds are resampled [@efron1993bootstrap]; the
#   tests decide.
# - **Test.** Runs with the same seed saw the same data in the same order, so we compare them in pairs, which removes
#   the variation they share. A claim of "more" or "less" gets a one-sided test against the margin: the paired *t* test
#   for losses, and for other metrics from ten seeds on; with fewer seeds a sign-flip permutation test; an exact test
#   where each outcome is 0 or 1. A claim of "equal" gets two one-sided tests, one against each margin
#   [@lakens2017equivalence]: it is not enough to see no difference, the interval has to fit between the margins. For
#   "rises" and "falls" the mean rank correlation has to reach the margin, and a permutation test has to rule out that
#   there is no trend. For "the best level is in this range" each level inside is tested against each level outside.
#   Where one experiment tests several hypotheses, we correct the *p* values with Holm's method [@holm1979simple], so
#   that the chance of even one false "supported" stays below α, and so does the chance of even one false "refuted".
# - **Detectable.** The smallest effect that this many seeds would detect four times out of five (80 % power). If
#   this number is large, an undecided verdict says more about the experiment than about the world.
# - **Holds for.** The model, the number of base models and the data of these runs; nobody tested anything else.
# - **Looks.** If the first seeds do not decide, we may add more, but each further look at the data gives chance another
#   opportunity. So the first look may spend half of α, the second a quarter, the third an eighth: together never more
#   than α, however many looks there are.
# - **Formerly.** What the hypothesis was called on earlier tables of this scale, or by earlier rules.
# - **Registered.** Git knows when the hypothesis was committed and when its result was. If the result came first, the
#   box says so.
# - **Caution.** Warnings: runs that diverged, a best setting at the edge of the range we tried, or shares that all lie
#   near 0 or 1. Where better settings or a difference could hide there, the verdict is *undecided*.
#
# A verdict whose word starts with *Check* is not a finding: its claim follows from arithmetic or is too plain to be one.
# It has no *p* value, because it only checks whether every seed is as claimed, and the counts of findings leave it out.
#
# ## Scales
#
# | Scale | Runs on | Purpose |
# |:------|:--------|:--------|
# | smoke | two cores, minutes for all experiments | shows on every build that each experiment really runs |
# | laptop | two cores, up to about forty minutes each | evidence without a GPU: enough seeds for a verdict |
# | gpu | one large GPU | larger models, the same code |
#
# An experiment differs between scales only in its budget. A chapter always shows the largest scale whose table
# is current, and a verdict is about that scale: a larger model may reverse it. Where two scales have tested a claim, the chapter puts both
# verdicts side by side (@tbl-full-scales is an example). Smoke runs are not evidence: where there is nothing else, the page says so and the verdict is *untested*.
#
# ## Recorded, fresh, stale
#
# Tables committed with the book are **recorded**; tables computed by the machine that built this edition are **fresh**.
# Each table stores a digest of the code and the budget that made it. If either has changed since, the table is
# **stale**: the book still shows it, with a note of what changed, because a build should not silently spend an hour on
# training. Changes to comments and prose do not count.
#
# Every build reruns every experiment at smoke scale and compares it with the recorded smoke runs. @sec-reproduction
# lists what agrees and what drifted.
#
# ## How to run it again
#
# Every results chapter gives the command that makes its table. `make` installs `llmlab` into the folder `.venv`.
# Activate it with `source .venv/bin/activate`, then copy the command:

# %%
command("learning_rate")
