# %% [markdown]
# # A market whose answer is known {#sec-results-market-control}
#
# ## The question
#
# Where a pipeline finds nothing on a real market, there may be nothing, or it may be blind. So it is given a market
# that is made: the direction of each next day is drawn with a probability that we know, and so is the best loss that
# any model can have. Does the pipeline find the law where there is one, and from which strength of signal on?

# %%
from IPython.display import Markdown

from llmlab.book.show import command, figure, method, note, says, table, value, verdict

note("market_control")

# %%
# | label: fig-results-market-control
# | fig-cap: "Share of the attainable gain that a transformer of 2,000 parameters captures, by the strength of the signal and the days of history. Intervals are over markets, drawn anew for each seed."
# | fig-alt: "Rising lines over the strength of the signal, one for each number of days."
figure("market_control", "captured", x="strength", by="days", parameters=2000)

# %% [markdown]
# ## Hypotheses and verdicts
#
# They were registered before the runs at laptop scale.

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
# The size of each move is noise. The log odds of a rise are the strength times a signal: yesterday's move against its
# direction, and yesterday's move times that of the week, an interaction that a linear model cannot see. Both stand in
# the indicators, blurred. Everything else is as on the real market: the same features, splits, scaler, transformer and
# stop. Since the probabilities are known, the loss of an answer is averaged over all draws of the day, not only the
# one that came: no luck of the test days is left in these numbers, and **intervals are over markets**.

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
# | tbl-cap: "What is attainable, what is gained, and what is left, for 2,000 parameters."
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
    f"With the shortest history and the strongest signal {value('market_control', 'attainable', strength=2.0, **cell)} "
    f"are attainable, and {value('market_control', 'expected_gain', strength=2.0, **cell)} are gained."
)

# %% [markdown]
# ## Learnings

# %%
learnings = [
    says(
        "H-KNOWN-1",
        supported="Where there is nothing, the pipeline finds nothing, and loses next to nothing by looking.",
        refuted="Where there is nothing, the pipeline is not neutral: what it finds on a real market has to be read "
        "against that.",
        undecided="These runs do not decide whether the pipeline is neutral where there is nothing.",
    ),
    says(
        "H-KNOWN-2",
        supported="A strong signal is found, so a pipeline that finds nothing elsewhere is not blind.",
        refuted="Even of a strong signal less than half is captured.",
        undecided="These runs do not decide whether half of a strong signal is captured.",
    ),
    says(
        "H-KNOWN-3",
        supported="A signal worth three hundredths of a nat a day would be seen in a history as long as the real one.",
        refuted="A signal worth three hundredths of a nat a day would be overlooked in a history as long as the real one.",
        undecided="These runs do not decide whether a signal of medium strength is seen.",
    ),
    says(
        "H-KNOWN-4",
        supported="A weak one would mostly be lost: silence on a real market excludes strong signals, not weak ones.",
        refuted="Even of a weak signal more than half is captured.",
        undecided="How much of a weak signal is lost, these runs do not settle.",
    ),
    says(
        "H-KNOWN-5",
        supported="The law in the number of days is there: more history, less excess loss.",
        refuted="More history did not lower the excess loss.",
        undecided="These runs do not decide whether the excess loss falls with each doubling of the days.",
    ),
    says(
        "H-KNOWN-6",
        supported="More parameters help where there is enough to learn.",
        refuted="Ten times the parameters did not help as we said, even with a strong signal.",
        undecided="These runs do not decide whether more parameters help as we said where the signal is strong.",
    ),
]
Markdown("\n".join(f"- {learning}" for learning in learnings))

# %% [markdown]
# *What would change our mind:* a signal that lives elsewhere, in months instead of days or in the tails, may be missed
# by a pipeline that finds this one. A control proves sight for what it shows, and for nothing else.
