# %% [markdown]
# # Does the pipeline find a signal that is there? {#sec-results-market-control}

# %%
from IPython.display import Markdown

from llmlab.book.show import answer, command, figure, method, note, says, table, value, verdict

strong = says(
    "H-KNOWN-2",
    supported="The pipeline finds a strong signal of this kind, so if it finds nothing elsewhere, it is not simply blind.",
    refuted="The pipeline captures less than half even of a strong signal.",
    undecided="It is open whether the pipeline captures half of a strong signal.",
)
weak = says(
    "H-KNOWN-4",
    supported="It would lose most of a weak signal: finding nothing on a real market excludes strong signals of this kind, not weak ones.",
    refuted="The pipeline captures more than half even of a weak signal.",
    undecided="It is open how much of a weak signal the pipeline loses.",
)
answer(strong, weak)

# %% [markdown]
# ## The question
#
# If a pipeline finds nothing on a real market, there may be nothing to find, or the pipeline may be blind. So we give
# it a synthetic market: we draw the direction of each next day with a probability that we know, and so we know the best
# loss that any model can reach. Does the pipeline find the signal where there is one, and how strong must the signal
# be?

# %%
note("market_control")

# %%
# | label: fig-results-market-control
# | fig-cap: "Share of the attainable gain that a transformer with 2,000 parameters captures, by the strength of the signal and the days of history. Intervals are over markets, one for each seed."
# | fig-alt: "Rising lines over the strength of the signal, one for each number of days."
figure("market_control", "captured", x="strength", by="days", parameters=2000)

# %% [markdown]
# ## Hypotheses and verdicts
#
# We registered these hypotheses before the runs at laptop scale.

# %%
verdict("H-KNOWN-1")

# %%
verdict("H-KNOWN-2")

# %%
verdict("H-KNOWN-3")

# %%
verdict("H-KNOWN-4")

# %%
verdict("H-KNOWN-5")

# %%
verdict("H-KNOWN-6")

# %% [markdown]
# ## Method
#
# The size of each move is noise. The log odds of a rise are the strength times a signal, which has two parts:
# yesterday's move with its sign reversed, and yesterday's move times that of the week, an interaction that a linear
# model cannot see. The indicators contain both, blurred. Everything else is as on the real market: the same features,
# splits, scaling, transformer and early stopping. Because we know the probabilities, we average the loss of a
# prediction over both outcomes of a day, not only the one that was drawn. So no luck of the test days is left in these
# numbers, and **intervals are over markets**.

# %%
# | label: tbl-market-control-method
# | tbl-cap: "Conditions and budget of the positive control."
method("market_control")

# %%
command("market_control")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-market-control
# | tbl-cap: "The attainable gain, the expected gain, and the excess loss that remains, for 2,000 parameters."
table(
    "market_control",
    ["attainable", "expected_gain", "excess"],
    by=["strength", "days"],
    compare=False,
    parameters=2000,
)

# %%
cell = {"days": 1250, "parameters": 2000}
Markdown(
    f"With the shortest history and the strongest signal, {value('market_control', 'attainable', strength=2.0, **cell)} "
    f"are attainable, and the transformer gains {value('market_control', 'expected_gain', strength=2.0, **cell)}."
)

# %% [markdown]
# ## Learnings

# %%
nothing = says(
    "H-KNOWN-1",
    supported="Where there is nothing, the pipeline finds nothing, and loses almost nothing by looking.",
    refuted="Where there is nothing, the pipeline is not neutral: keep that in mind for what it finds on a real "
    "market.",
    undecided="It is open whether the pipeline is neutral where there is nothing.",
)
medium = says(
    "H-KNOWN-3",
    supported="The pipeline would see a signal worth three hundredths of a nat a day in a history as long as the real one.",
    refuted="The pipeline would miss a signal worth three hundredths of a nat a day in a history as long as the real one.",
    undecided="It is open whether the pipeline sees a signal of medium strength.",
)
days = says(
    "H-KNOWN-5",
    supported="The pipeline finds the law in the number of days: the excess loss falls with more history.",
    refuted="More history does not lower the excess loss as we claimed.",
    undecided="It is open whether the excess loss falls with each doubling of the days.",
)
parameters = says(
    "H-KNOWN-6",
    supported="More parameters help where there is enough to learn.",
    refuted="Ten times the parameters help less than we said, even with a strong signal.",
    undecided="It is open whether more parameters help as we said where the signal is strong.",
)
learnings = (nothing, strong, medium, weak, days, parameters)
Markdown("\n".join(f"- {learning}" for learning in learnings))

# %% [markdown]
# *What would change our mind:* this pipeline may miss a signal that is elsewhere, over months instead of days or in the
# tails. A control proves that the pipeline sees what the control contains, and nothing else.
