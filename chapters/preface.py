# %% [markdown]
# # Preface {.unnumbered}
#
# This book asks small questions about training language models and answers them with runs that anybody can
# repeat. It is written by hand where it explains and by the computer where it reports: no result in it was typed.
# This page says how to read what the computer wrote.
#
# ## How to read a value
#
# Numbers with a dotted underline are values. Hover over one, tap it, or look at its footnote in print, and it says
# what it is:

# %%
from IPython.display import Markdown

from llmlab.book.show import command, value, verdict

Markdown(
    "> Fine-tuned at the best learning rate, the base model of this book answers "
    f"{value('learning_rate', 'accuracy', tuned=['learning_rate'])} of the subtractions that it is tested on."
)

# %% [markdown]
# Behind each value stand
#
# - the **mean** over seeds and its **95 % interval** (a *t* interval). A seed fixes everything that is random
#   in a run: the start of the adapter and the order of the data. Another seed would have given another number;
#   the interval says how different,
# - **n**, the number of seeds. With one seed there is no interval, and the value says so,
# - the **lines of the table** `runs.csv` that it was read from,
# - the **scale**, and the **commit** of the code that made the table.
#
# In tables the same stands as *mean ± half of the interval*. The best condition is **bold**. A condition marked ≈
# could not be told apart from the best one (paired *t* test over seeds, corrected for the number of conditions), so
# do not read anything into the order of those two.
#
# ## How to read a verdict
#
# A hypothesis is written into the ledger *before* the result, with the metric, the two sides of the comparison and
# the margin that would count as a real difference. Stating this first is called preregistration
# [@nosek2018preregistration]; it keeps us from finding a story in whatever came out. The verdict is then computed.
# Here is a real one:

# %%
verdict("H-LR-1")

# %% [markdown]
# From top to bottom:
#
# - **The word.** *Supported*: the claim holds, with room for chance. *Refuted*: its opposite does. *Undecided*: the
#   runs allow either. *Untested*: there are no runs at a scale that counts. A colour and a sign go with each word, so
#   that none of the three is needed alone.
# - **The effect.** A difference between two shares is given in *points*, that is percentage points: from 30 % to 50 %
#   is +20 points. Its interval is a 90 % one, because a one-sided test at α = 0.05 leaves 5 % on either side; values
#   and tables have 95 % intervals.
# - **The drawing.** The dot is the effect, the bar its interval, the small dots below are the seeds. The shaded
#   field is what was claimed. A claim is supported when the whole bar lies inside the field, and refuted when it
#   lies outside altogether (the correction below can move the line a little). For a claim about the *best* level of
#   something, the bar only shows where it falls when seeds are drawn anew [@efron1993bootstrap]; the tests below
#   decide.
# - **Test.** Runs with the same seed saw the same data in the same order, so we compare them pair by pair, which
#   removes what both have in common. For "more" and "less" a one-sided test against the margin: the paired *t* test
#   of losses, and of other metrics from ten seeds on; with fewer seeds one that flips signs; an exact test where each
#   outcome is 0 or 1. For "equal" two of them, one against either margin [@lakens2017equivalence]: failing to see a
#   difference is not enough, the interval has to fit between the margins. For "rises" and "falls" the mean rank
#   correlation has to reach the margin, and a permutation test has to rule out that there is no trend. For "the best
#   level lies here" each level inside against each level outside. Where one experiment tests several hypotheses, *p*
#   values are corrected with Holm's method [@holm1979simple], so that the chance of even one false "supported" stays
#   below α, and so does that of one false "refuted".
# - **Looks.** Where the first seeds did not decide, more may be added, but each look at the runs gives chance another
#   chance. So the first look may spend half of α, the second a quarter, the third an eighth: together never more than
#   α, however many looks there will be.
# - **Could have seen.** The smallest effect that so many seeds would have found four times out of five. An
#   undecided verdict with a large number here says more about the experiment than about the world.
# - **Registered.** Git knows when the hypothesis was committed and when its result was. If the result came first,
#   the box says so.
# - **Beware.** Alarms: runs that diverged, a best setting at the edge of what was tried.
#
# ## Scales
#
# | Scale | Runs on | Purpose |
# |:------|:--------|:--------|
# | smoke | two cores, minutes for all experiments | proves on every build that each experiment really runs |
# | laptop | two cores, up to some forty minutes each | evidence without a GPU: enough seeds for a verdict |
# | gpu | one large GPU | larger models, the same code |
#
# An experiment differs between scales by its budget alone. A chapter always shows the largest scale that there
# is. Smoke runs are no evidence: where there is nothing else, the page says so and the verdict is *untested*.
#
# ## Recorded, fresh, stale
#
# Tables that were committed with the book are **recorded**; tables that the machine building this edition computed
# are **fresh**. Each table remembers a digest of the code and the budget that made it. When either has changed
# since, the table is **stale**: it is still shown, with a note of what changed, because a book should not
# silently spend an hour training. Comments and prose do not count as changes.
#
# Every build reruns every experiment at smoke scale and compares it with the recorded smoke runs. What agrees and
# what drifted stands in @sec-reproduction.
#
# ## How to run it again
#
# Every results chapter names the command of its table. `make` installs `llmlab` into the folder `.venv`; once
# `source .venv/bin/activate` has put that on the path of a shell, copy it:

# %%
command("learning_rate")
