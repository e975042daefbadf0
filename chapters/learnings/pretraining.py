# %% [markdown]
# # What pretraining taught {#sec-learnings-pretraining}
#
# A GPT from scratch, five experiments on it, and a way to look inside. This page looks back on the track: what was
# asked, what came out, what it took, and what we would do otherwise. Each sentence about a result is chosen by a
# verdict, and each number is read from a table.

# %%
from IPython.display import Markdown

from llmlab.book.show import (
    badge,
    note,
    progress,
    says,
    statistics_of,
)

note("memorization")

# %%
note("pretraining")

# %%
note("tokenizer")

# %%
note("induction")

# %%
note("optimizer")

# %% [markdown]
# ## The track in numbers

# %%
# | label: tbl-learnings-pretraining
# | tbl-cap: "What each experiment took, summed over its runs, and what became of its hypotheses."
statistics_of("pretraining")

# %% [markdown]
# ## Can the code be believed?

# %%
Markdown(
    says(
        "H-PRE-1",
        supported="A lab that trains models of its own has to show first that it trains them well. In the setting of "
        "nanoGPT's small run ours ends within a tenth of a nat of the published loss",
        refuted="In the setting of nanoGPT's small run ours does not end within a tenth of a nat of the published loss, "
        "and every other result of this lab stands under that reservation",
        undecided="Whether this lab trains as well as nanoGPT's small run is not settled",
        untested="Whether this lab trains as well as nanoGPT's small run is not tested yet",
    )
    + f" (@sec-results-pretraining; H-PRE-1 {badge('H-PRE-1')}). The check cost minutes. It should be the first "
    "experiment of any lab, and the test that stays."
)

# %% [markdown]
# ## The text decides, and so does its unit

# %%
Markdown(
    says(
        "H-MEM-1",
        supported="On one short story a model that does well on a longer text learns the story by heart",
        refuted="On one short story the losses do not part as far as we thought",
        undecided="Whether one short story parts the losses as far as we said is not settled",
        untested="How far one short story parts the losses is not tested yet",
    )
    + f" (@sec-results-memorization; H-MEM-1 {badge('H-MEM-1')}), "
    + says(
        "H-MEM-2",
        supported="and reading on makes it worse at anything else",
        refuted="but reading on does little harm",
        undecided="and whether reading on does harm is not settled",
        untested="nor is what reading on does",
    )
    + f" (H-MEM-2 {badge('H-MEM-2')}). "
    + says(
        "H-PRE-2",
        supported="Of two longer texts, code takes far fewer bits per byte than plays, but it was also cut into longer "
        "tokens, which could account for most of that",
        refuted="Code does not take as much less bits per byte than plays as we thought",
        undecided="Whether code takes as much less bits per byte than plays as we said is not settled",
        untested="Whether code takes fewer bits per byte than plays is not tested yet",
    )
    + f" (H-PRE-2 {badge('H-PRE-2')}). "
    + says(
        "H-TOK-1",
        supported="And how the text is cut into tokens matters: merges pay",
        refuted="How the text is cut into tokens matters less than we thought",
        undecided="Whether merges pay is not settled",
        untested="Whether merges pay is not tested yet",
    )
    + f" (@sec-results-tokenizer; H-TOK-1 {badge('H-TOK-1')}). None of this can be seen in a loss per token. Bits per "
    "byte was the most useful unit of this track, and the cheapest to compute."
)

# %% [markdown]
# ## A recipe is a bet on the length of the run

# %%
Markdown(
    says(
        "H-OPT-1",
        supported="Warm-up paid even in a run of a few minutes",
        refuted="Warm-up bought next to nothing in runs of a few minutes",
        undecided="Whether warm-up pays in runs of a few minutes is not settled",
        untested="What warm-up pays is not tested yet",
    )
    + f" (@sec-results-optimizer; H-OPT-1 {badge('H-OPT-1')}), "
    + says(
        "H-OPT-2",
        supported="and so did lowering the rate",
        refuted="while lowering the rate, which everyone does, did not buy what we had expected of it",
        undecided="while it is open whether lowering the rate does",
        untested="nor what lowering the rate does",
    )
    + f" (H-OPT-2 {badge('H-OPT-2')}). "
    + says(
        "H-OPT-5",
        supported="Clipping, as expected, changed nothing where nothing spikes",
        refuted="Clipping mattered, against what we had expected",
        undecided="Of clipping we had expected that it changes nothing, and the runs do not bear that out",
        untested="Clipping is not tested yet",
    )
    + f" (H-OPT-5 {badge('H-OPT-5')}). What acts at the beginning of a run acts in every run; what acts at its end, "
    "such as a cosine, is made for runs that end near their floor. Ours do not. A part of a recipe should be reported "
    "with the length of the run that it was measured in."
)

# %% [markdown]
# ## Looking inside is cheap, and it is not the loss

# %%
Markdown(
    says(
        "H-IND-1",
        supported="Heads that continue what came before appear with the second layer",
        refuted="Heads that continue what came before did not appear with the second layer in so short a training",
        undecided="Whether heads that continue what came before appear with the second layer is not settled",
        untested="Whether heads that continue what came before take two layers is not tested yet",
    )
    + f" (@sec-results-induction; H-IND-1 {badge('H-IND-1')}). "
    + says(
        "H-IND-2",
        supported="Their first half, a head for the token before, is there",
        refuted="Their first half, a head for the token before, is not there as we had defined it",
        undecided="Whether their first half, a head for the token before, is there is not settled",
        untested="Whether some head looks at the token before is not tested yet",
    )
    + f" (H-IND-2 {badge('H-IND-2')}), "
    + says(
        "H-IND-3",
        supported="and the gain on text that comes again is large enough to be measured without any theory of heads",
        refuted="and text that comes again gains less than we said from the second layer",
        undecided="and whether text that comes again gains from the second layer is open",
        untested="nor is what a text that comes again gains",
    )
    + f" (H-IND-3 {badge('H-IND-3')}). A score on an artificial text says what a head does; only a loss on real text "
    "says what it is good for. We would measure both again."
)

# %% [markdown]
# ## What we would do otherwise
#
# - **Short runs answer short questions.** Most runs here end long before their loss is flat. What is better after a few
#   hundred steps need not be better after ten times as many: that holds for the vocabulary, the cosine and the induction
#   heads alike, and it is what the gpu scale is for.
# - **Claims of "no difference" need more seeds than claims of a difference.** With five seeds, a margin of a few
#   hundredths of a nat and runs that spike, such a claim could hardly have been supported. The margin should have come
#   from the spread of a pilot, not from taste.
# - **Vary one thing.** Code and plays were compared with a tokenizer for each, as each text is usually read. The verdict
#   is right and says little: text and tokenizer changed together.
# - **A search needs a case where there is something to find.** Induction heads were looked for in models that may be too
#   young to have any. That the scores find a circuit made by hand is tested; one *trained* model that is known to have
#   such heads, looked at in the same way, would tell "not there" from "not seen".
# - **The edge of a sweep answers nothing.** If the best level is the last one, the sweep was too narrow.
# - **One rate for all is a choice, too.** Parts of an optimizer were compared at one peak rate, as ranks are elsewhere
#   compared at one learning rate (@sec-learnings-first-two). It is cheaper, and it is worth less.
#
# ## Where the track stands
#
# The phases of the track, and the state of each feature as files, tables and verdicts have it. The other tracks are in
# @sec-progress.

# %%
progress("pretraining")
