# %% [markdown]
# # What markets taught {#sec-learnings-market}
#
# Scaling laws were found on text. This track asks whether prices follow one, and first whether a few thousand days are
# enough to find out. A verdict chooses each sentence about a result.

# %%
from IPython.display import Markdown

from llmlab.book.show import cite, note, progress, says, statistics_of

note("market_control")

# %%
note("market_scaling")

# %% [markdown]
# ## First prove that you can see

# %%
Markdown(
    says(
        "H-KNOWN-2",
        supported="On a synthetic market with a strong signal the pipeline captures most of the signal",
        refuted="Even on a synthetic market with a strong signal the pipeline captures less than half of it",
        undecided="The runs do not decide how much of a strong signal the pipeline captures on a synthetic market",
        untested="Beyond smoke runs, we have not tested yet whether the pipeline sees a strong signal on a synthetic market",
    )
    + f" (@sec-results-market-control; {cite('H-KNOWN-2')}), "
    + says(
        "H-KNOWN-1",
        supported="and where there is nothing, it finds nothing",
        refuted="but where there is nothing, it is not neutral",
        undecided="and it is open whether it is neutral where there is nothing",
        untested="nor what it does where there is nothing",
    )
    + f" ({cite('H-KNOWN-1')}). Without that control, a flat line on a real market could come from the market or from "
    "the model."
)

# %% [markdown]
# ## Then look

# %%
Markdown(
    says(
        "H-SKILL-1",
        supported="A transformer knows nothing that matters about tomorrow's direction",
        refuted="On tomorrow's direction a transformer differs from the base rate by more than we said",
        undecided="Ten periods do not decide whether a transformer knows anything about tomorrow's direction",
    )
    + f" (@sec-results-market-predictability; {cite('H-SKILL-1')}). "
    + says(
        "H-SKILL-3",
        supported="A large move is another matter, because volatile times last",
        refuted="A model predicts large moves less well than we thought, although volatile times last",
        undecided="A large move may be another matter, because volatile times last; the periods scatter too widely to be sure",
    )
    + f" ({cite('H-SKILL-3')}). "
    + says(
        "H-FLAT-1",
        supported="A hundred times the parameters changed nothing",
        refuted="A hundred times the parameters changed the loss",
        undecided="The runs do not decide what a hundred times the parameters change",
        untested="We have not tested yet what a hundred times the parameters change",
    )
    + f" (@sec-results-market-scaling; {cite('H-FLAT-1')})."
)

# %% [markdown]
# ## What we would do differently
#
# - **Count periods, not seeds.** A seed that only changes the initial weights shows how steady the training is, but
#   nothing about the market. Here each seed is another period, so the intervals are wide. They have to be.
# - **Choose margins from the scatter between periods.** A margin of two thousandths of a nat sounded small. But one
#   crisis moves a period's gain by ten times that. We should have taken the margins from a power calculation on the
#   scatter between years.
# - **Separate direction and size.** A rise of more than [1 %]{.setting} mixes what nobody knows (the direction) with
#   what everybody knows (the volatility). A target in units of the current volatility would have been cleaner.
# - **The base rate moves.** We judge a model against the base rate of its training days; in a bull market the test days
#   have another one. That shift is part of every gain and loss on these pages.
# - **Test for leaks; do not just read formulas.** Computing prefixes, not reading formulas, showed that four
#   indicators of `pandas-ta-classic` see the future: `dpo`, `ichimoku`, `tos_stdevall` and `vp`. The alarm is a dozen
#   lines, and it should be the first test of any such pipeline.

# %% [markdown]
# ## The track in numbers

# %%
# | label: tbl-learnings-market
# | tbl-cap: "Cost of each experiment, summed over its runs, and the verdicts on its hypotheses; checks do not count."
statistics_of("market")

# %% [markdown]
# ## The state of the track

# %%
progress("market")
