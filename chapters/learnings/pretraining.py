# %% [markdown]
# # What pretraining taught {#sec-learnings-pretraining}
#
# We built a GPT from scratch, ran five experiments on it, and added a way to look inside. This page looks back on the
# track: what we asked, what came out, what it took, and what we would do differently. A verdict chooses each sentence
# about a result, and each number is read from a table.

# %%
from IPython.display import Markdown

from llmlab.book.show import (
    cite,
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
# ## Can you trust the code?

# %%
Markdown(
    "A lab that trains its own models first has to show that it trains them well. "
    + says(
        "H-PRE-1",
        supported="With the settings of nanoGPT's small run, ours ends within a tenth of a nat of the published loss",
        refuted="With the settings of nanoGPT's small run, ours does not end within a tenth of a nat of the published loss, "
        "and you should read every other result of this lab with that in mind",
        undecided="We do not know yet whether this lab trains as well as nanoGPT's small run",
        untested="We have not tested yet whether this lab trains as well as nanoGPT's small run",
    )
    + f" (@sec-results-pretraining; {cite('H-PRE-1')}). The check costs minutes. It should be the first "
    "experiment of any lab, and a test that it keeps."
)

# %% [markdown]
# ## The text decides, and so does the unit of the loss

# %%
Markdown(
    says(
        "H-MEM-1",
        supported="A model that does well on a longer text learns a single short story by heart",
        refuted="On a single short story the training and validation losses part less than we thought",
        undecided="The runs do not decide how far the training and validation losses part on a single short story",
        untested="We have not tested yet how far the training and validation losses part on a single short story",
    )
    + f" (@sec-results-memorization; {cite('H-MEM-1')}), "
    + says(
        "H-MEM-2",
        supported="and reading it more often makes the model worse on unseen text",
        refuted="and reading it more often does less harm than we said",
        undecided="and it is open whether reading it more often does harm",
        untested="nor what reading it more often does",
    )
    + f" ({cite('H-MEM-2')}). "
    + says(
        "H-PRE-2",
        supported="Code takes far fewer bits per byte than plays, but it was also cut into longer "
        "tokens, which could account for most of that",
        refuted="Code does not take as many fewer bits per byte than plays as we thought",
        undecided="The runs do not decide whether code takes as many fewer bits per byte than plays as we said",
        untested="We have not tested yet whether code takes fewer bits per byte than plays",
    )
    + f" ({cite('H-PRE-2')}). "
    + says(
        "H-TOK-1",
        supported="The tokenizer matters: merges pay",
        refuted="The tokenizer matters less than we thought",
        undecided="The runs do not decide whether merges pay",
        untested="We have not tested yet whether merges pay",
    )
    + f" (@sec-results-tokenizer; {cite('H-TOK-1')}). A loss per token shows none of this. Bits per "
    "byte was the most useful unit of this track, and the cheapest to compute."
)

# %% [markdown]
# ## A recipe is a bet on the length of the run

# %%
Markdown(
    says(
        "H-OPT-1",
        supported="Warm-up pays even in a run of a few minutes",
        refuted="Warm-up buys less than we thought in runs of a few minutes",
        undecided="The runs do not decide whether warm-up pays in runs of a few minutes",
        untested="We have not tested yet whether warm-up pays",
    )
    + f" (@sec-results-optimizer; {cite('H-OPT-1')}), "
    + says(
        "H-OPT-2",
        supported="and so does decaying the learning rate",
        refuted="and decaying the learning rate, which everyone does, buys less than we had expected",
        undecided="and it is open whether decaying the learning rate pays",
        untested="nor whether decaying the learning rate does",
    )
    + f" ({cite('H-OPT-2')}). "
    + says(
        "H-OPT-5",
        supported="Clipping changed nothing where nothing spikes, as expected",
        refuted="Clipping mattered, contrary to what we had expected",
        undecided="We had expected clipping to change nothing; the runs do not decide it",
        untested="We have not tested clipping yet",
    )
    + f" ({cite('H-OPT-5')}). What acts at the start of a run acts in every run; what acts at its end, "
    "such as a cosine decay, is made for runs that end near their floor. Ours do not. So report each part of a recipe "
    "with the length of the run in which it was measured."
)

# %% [markdown]
# ## Looking inside is cheap, but it does not replace the loss

# %%
Markdown(
    says(
        "H-IND-1",
        supported="Induction heads, which continue what came before, appear with the second layer",
        refuted="Induction heads, which continue what came before, did not appear with the second layer in such short training runs",
        undecided="The runs do not decide whether induction heads, which continue what came before, appear with the second layer",
        untested="We have not tested yet whether induction heads, which continue what came before, take two layers",
    )
    + f" (@sec-results-induction; {cite('H-IND-1')}). "
    + says(
        "H-IND-2",
        supported="The first half of the circuit, a head that looks at the previous token, is there",
        refuted="The first half of the circuit, a head that looks at the previous token, is not there as we had defined it",
        undecided="It is open whether the first half of the circuit, a head that looks at the previous token, is there",
        untested="We have not tested yet whether some head looks at the previous token",
    )
    + f" ({cite('H-IND-2')}), "
    + says(
        "H-IND-3",
        supported="and the gain on repeated text is large enough to measure without any theory of heads",
        refuted="and repeated text gains less from the second layer than we said",
        undecided="and it is open whether repeated text gains from the second layer",
        untested="nor what repeated text gains",
    )
    + f" ({cite('H-IND-3')}). A score on artificial text says what a head does; only the loss on real text "
    "says what it is good for. We would measure both again."
)

# %% [markdown]
# ## What we would do differently
#
# - **Short runs answer short questions.** Most runs here end long before their loss is flat. What is better after a few
#   hundred steps need not be better after ten times as many. This holds for the vocabulary, the cosine and the
#   induction heads alike, and it is what the gpu scale is for.
# - **Claims of "no difference" need more seeds than claims of a difference.** With a margin of a few hundredths of a nat
#   and runs that spike, the runs can hardly support such a claim: the box of H-OPT-3 says how many seeds it would take.
#   We should have taken the margin from the spread of a pilot, not from taste.
# - **Change one thing at a time.** We compared code and plays with a tokenizer for each, as each text is usually read.
#   The verdict is right but says little: text and tokenizer changed together.
# - **A search needs a case where there is something to find.** We looked for induction heads in models that may be too
#   young to have any. A test shows that the scores find a circuit made by hand. A *trained* model known to have such
#   heads, examined in the same way, would tell "not there" from "not seen".
# - **The edge of a sweep answers nothing.** If the best level is the last one, the sweep was too narrow.
# - **One rate for all is a choice, too.** We compared parts of the optimizer at one peak learning rate, not at the best
#   rate of each (@sec-learnings-first-two shows how much that can matter). It is cheaper, and the result is worth less.

# %% [markdown]
# ## The track in numbers

# %%
# | label: tbl-learnings-pretraining
# | tbl-cap: "Cost of each experiment, summed over its runs, and the verdicts on its hypotheses; checks do not count."
statistics_of("pretraining")

# %% [markdown]
# ## The state of the track
#
# These are the phases of the track and the state of each feature, computed from files, tables and verdicts.
# @sec-progress has the other tracks.

# %%
progress("pretraining")
