# %% [markdown]
# # What sleep taught {#sec-learnings-sleep}
#
# A small coder repairs programs by day, and learns by night from what it met. The lab that this track follows concluded
# from thirty koans that LoRA cannot improve a model, that Share keeps the baseline, and that advice in the prompt beats
# both. A verdict chooses each sentence about a result below. It holds for one small coder (@sec-results-sleep-base) on
# generated Python.

# %%
from IPython.display import Markdown

from llmlab.book.show import cite, note, progress, says, statistics_of

note("sleep_base")

# %%
note("sleep_methods")

# %% [markdown]
# ## What the predecessor said, asked again

# %%
Markdown(
    "- *LoRA cannot improve the model.* "
    + says(
        "H-SLEEP-1",
        supported="Here it can: a night of naive LoRA raises the pass rate",
        refuted="Nor can it here: a night of naive LoRA does not raise the pass rate by our margin",
        undecided="Here a night of naive LoRA leaves it open",
        untested="No recorded night has tested this yet",
    )
    + f" ({cite('H-SLEEP-1')}). "
    + says(
        "H-SLEEP-RATE-1",
        supported="At its own best rate it does",
        refuted="Nor does it at its own best rate",
        undecided="Whether it does at its own best rate is open",
        untested="What it does at its own best rate is untested",
    )
    + f" ({cite('H-SLEEP-RATE-1')}).\n"
    "- *Replay mends what targeted training breaks.* "
    + says(
        "H-SLEEP-2",
        supported="Learning from failures alone costs more of what was known than learning with replay",
        refuted="Learning from failures alone costs no more of what was known than learning with replay",
        undecided="Whether replay saves what was known is open",
        untested="No recorded night has tested this yet",
    )
    + f" ({cite('H-SLEEP-2')}).\n"
    "- *Averaged adapters return to the baseline.* "
    + says(
        "H-SLEEP-3",
        supported="So do averaged factors here, and the reason is arithmetic: factors of adapters with separate starts are unrelated, and their means shrink",
        refuted="Here averaged factors do not",
        undecided="Whether averaged factors do here is open",
        untested="No recorded night has tested this yet",
    )
    + f" ({cite('H-SLEEP-3')}). "
    + says(
        "H-SLEEP-5",
        supported="Share's averaged coefficients do the same",
        refuted="Share's averaged coefficients differ from them",
        undecided="Whether Share's averaged coefficients differ is open",
        untested="Share's averaged coefficients are untested",
    )
    + f" ({cite('H-SLEEP-5')}).\n"
    "- *Advice beats training.* "
    + says(
        "H-PROMPT-1",
        supported="More answers turn more koans green, without any training",
        refuted="More answers do not turn more koans green by as much as we asked for",
        undecided="What more answers are worth is open",
        untested="What more answers are worth is untested",
    )
    + f" ({cite('H-PROMPT-1')}). "
    + says(
        "H-PROMPT-2",
        supported="The name of the family is worth nothing",
        refuted="The name of the family makes a difference",
        undecided="What the name of the family is worth is open",
        untested="What the name of the family is worth is untested",
    )
    + f" ({cite('H-PROMPT-2')}). "
    + says(
        "H-PROMPT-3",
        supported="An example of the same family teaches what a name cannot",
        refuted="An example of the same family does not help with new families by as much as we asked for",
        undecided="What an example of the same family is worth is open",
        untested="What an example of the same family is worth is untested",
    )
    + f" ({cite('H-PROMPT-3')}).\n"
)

# %% [markdown]
# ## What many adapters are good for

# %%
Markdown(
    "- *Share keeps what adapters know.* "
    + says(
        "H-SHARE-1",
        supported="With all adapters at hand and twice their steps, it does",
        refuted="It does not, even with all adapters at hand and twice their steps",
        undecided="Whether it does with all adapters at hand and twice their steps is open",
        untested="Whether it does is untested at this scale",
    )
    + f" ({cite('H-SHARE-1')}). "
    + says(
        "H-SHARE-2",
        supported="Task after task it learns less than separate adapters",
        refuted="Task after task it learns no less than separate adapters, by the margin that we asked for",
        undecided="What a stream of tasks costs is open",
        untested="What a stream of tasks costs is untested",
    )
    + f" ({cite('H-SHARE-2')}).\n"
    "- *Averages vanish by arithmetic.* "
    + says(
        "H-SHARE-5",
        supported="Mean factors of real adapters are as small as unrelated gauges make them",
        refuted="Mean factors of real adapters are not as small as unrelated gauges would make them",
        undecided="Whether the gauge explains the size of mean factors is open",
        untested="Whether the gauge explains the size of mean factors is untested",
    )
    + f" ({cite('H-SHARE-5')}).\n"
    "- *More adapters make a better basis.* "
    + says(
        "H-BASIS-1",
        supported="Fifty-one do better than six",
        refuted="Fifty-one do no better than six, by the margin that we asked for",
        undecided="Whether fifty-one do better than six is open",
        untested="Whether fifty-one do better than six is untested",
    )
    + f" ({cite('H-BASIS-1')}).\n"
    "- *Choosing beats merging.* "
    + says(
        "H-ROUTING-2",
        supported="It does, where the family of a bug is known",
        refuted="It does not, by the margin that we asked for",
        undecided="Whether it does is open",
        untested="Whether it does is untested",
    )
    + f" ({cite('H-ROUTING-2')}).\n"
    "- *A coder can live on its own repairs.* "
    + says(
        "H-CYCLES-1",
        supported="Eight nights of them make it better",
        refuted="Eight nights of them do not make it better, by the margin that we asked for",
        undecided="Whether eight nights of them help is open",
        untested="Whether eight nights of them help is untested",
    )
    + f" ({cite('H-CYCLES-1')}).\n"
)

# %% [markdown]
# ## What we would do differently
#
# - **Check the koans first.** A program of a dozen lines finds a reference that does not compile, or an exam that is in
#   the training data (@sec-koans).
# - **Ask what the model gets wrong before making it larger.** Three times the parameters gave a coder a few points more.
#   Reading its failures gave many: it named the right line and then copied the wrong name or number into it, it was never
#   shown what a test had wanted, and some koans asked for a number that nothing in the program told. Now a name is its
#   place, an edit repeats only the span that it replaces, the question holds the facts of the message, and each bug stands
#   in almost twice as many places. Last, many of its answers were no edits of the program; now only edits can be drawn.
#   (No table here holds the earlier coders: some were trials with one seed, and the tables of the others are in the
#   history of the repository.)
# - **Count what a night costs.** Every method here has the same number of steps. A method that trains an adapter for each
#   family has only a few steps for each, which is part of the comparison.
# - **Say what was averaged.** ΔW is what an adapter does; its factors are one choice among infinitely many. A method that
#   averages factors averages that choice.

# %% [markdown]
# ## The track in numbers

# %%
# | label: tbl-learnings-sleep
# | tbl-cap: "Cost of each experiment, summed over its runs, and the verdicts on its hypotheses; checks do not count."
statistics_of("sleep")

# %% [markdown]
# ## The state of the track

# %%
progress("sleep")
