# %% [markdown]
# # What sleep taught {#sec-learnings-sleep}
#
# A small coder repairs programs by day, and learns from what it met by night. The lab that this track follows had
# concluded from thirty koans that LoRA cannot improve a model, that Share keeps the baseline, and that advice in the
# prompt beats them all. Each sentence about a result below is chosen by a verdict.

# %%
from IPython.display import Markdown

from llmlab.book.show import badge, note, progress, says, statistics_of

note("sleep_base")

# %%
note("sleep_methods")

# %% [markdown]
# ## The track in numbers

# %%
# | label: tbl-learnings-sleep
# | tbl-cap: "What each experiment took, summed over its runs, and what became of its hypotheses."
statistics_of("sleep")

# %% [markdown]
# ## What the predecessor said, asked again

# %%
Markdown(
    "- *LoRA cannot improve the model.* "
    + says(
        "H-SLEEP-1",
        supported="Here it can: a night of naive LoRA raises the pass rate",
        refuted="Nor does a night of naive LoRA here, by the margin that we asked for",
        undecided="A night of naive LoRA leaves it open here",
        untested="No recorded night has tested this yet",
    )
    + f" (H-SLEEP-1 {badge('H-SLEEP-1')}).\n"
    "- *Replay mends what targeted training breaks.* "
    + says(
        "H-SLEEP-2",
        supported="Learning from failures alone costs more of what was known than learning with replay",
        refuted="Learning from failures alone costs no more of what was known than learning with replay",
        undecided="Whether replay saves what was known is open",
        untested="No recorded night has tested this yet",
    )
    + f" (H-SLEEP-2 {badge('H-SLEEP-2')}).\n"
    "- *Averaged adapters return to the baseline.* "
    + says(
        "H-SLEEP-3",
        supported="So do averaged factors here, and the reason is arithmetic: factors of adapters that started apart have nothing to do with each other, and their means shrink",
        refuted="Averaged factors do not here",
        undecided="Whether averaged factors do is open here",
        untested="No recorded night has tested this yet",
    )
    + f" (H-SLEEP-3 {badge('H-SLEEP-3')}). "
    + says(
        "H-SLEEP-5",
        supported="Share's averaged coefficients do the same",
        refuted="Share's averaged coefficients differ from them",
        undecided="Whether Share's averaged coefficients differ is open",
        untested="Share's averaged coefficients are untested",
    )
    + f" (H-SLEEP-5 {badge('H-SLEEP-5')}).\n"
    "- *Advice beats training.* "
    + says(
        "H-PROMPT-1",
        supported="More answers turn more koans green, without any training",
        refuted="More answers do not turn more koans green by as much as we asked for",
        undecided="What more answers are worth is open",
        untested="What more answers are worth is untested",
    )
    + f" (H-PROMPT-1 {badge('H-PROMPT-1')}). "
    + says(
        "H-PROMPT-2",
        supported="The name of the family is worth nothing",
        refuted="The name of the family makes a difference",
        undecided="What the name of the family is worth is open",
        untested="What the name of the family is worth is untested",
    )
    + f" (H-PROMPT-2 {badge('H-PROMPT-2')}).\n"
)

# %% [markdown]
# ## What we would do otherwise
#
# - **Check the koans first.** A reference that does not compile, or an exam that stands in the training data, is found
#   by a program of a dozen lines (@sec-koans).
# - **Ask what the model gets wrong before making it larger.** The first small coder mostly named the right line and then
#   copied the wrong name into it: it knew the bug. What it lacked was not parameters but a vocabulary in which a name is
#   its place, batches without padding, and more places for each bug. (It was a trial: no table here holds it.)
# - **Count what a night costs.** Every method here has the same number of steps. A method that trains an adapter for each
#   family has a few steps for each, which is part of what is compared.
# - **Say what was averaged.** ΔW is a thing; its factors are a choice among infinitely many. A method that averages them
#   averages that choice.
#
# ## Where the track stands

# %%
progress("sleep")
