# %% [markdown]
# # What markets taught {#sec-learnings-market}
#
# Scaling laws were found on text. This track asked whether there is one in prices, and first whether the question can
# be asked at all with a few thousand days. Each sentence about a result is chosen by a verdict.

# %%
from IPython.display import Markdown

from llmlab.book.show import badge, note, progress, says, statistics_of

note("market_control")

# %%
note("market_scaling")

# %% [markdown]
# ## The track in numbers

# %%
# | label: tbl-learnings-market
# | tbl-cap: "What each experiment took, summed over its runs, and what became of its hypotheses."
statistics_of("market")

# %% [markdown]
# ## First prove that you can see

# %%
Markdown(
    says(
        "H-KNOWN-2",
        supported="On a made market with a strong signal the pipeline captures most of what there is",
        refuted="Even on a made market with a strong signal the pipeline captures less than half",
        undecided="How much of a strong signal the pipeline captures on a made market is not settled",
        untested="Whether the pipeline sees a strong signal on a made market is not tested yet beyond trial runs",
    )
    + f" (@sec-results-market-control; H-KNOWN-2 {badge('H-KNOWN-2')}), "
    + says(
        "H-KNOWN-1",
        supported="and where there is nothing, it finds nothing",
        refuted="and where there is nothing, it is not neutral",
        undecided="and whether it is neutral where there is nothing is open",
        untested="nor is what it does where there is nothing",
    )
    + f" (H-KNOWN-1 {badge('H-KNOWN-1')}). Without that control, a flat line on a real market could be the market's or "
    "the model's."
)

# %% [markdown]
# ## Then look

# %%
Markdown(
    says(
        "H-SKILL-1",
        supported="Of tomorrow's direction a transformer knows nothing that matters",
        refuted="On tomorrow's direction a transformer is off the base rate by more than we said",
        undecided="Whether a transformer knows anything of tomorrow's direction, ten periods do not say",
    )
    + f" (@sec-results-market-predictability; H-SKILL-1 {badge('H-SKILL-1')}). "
    + says(
        "H-SKILL-3",
        supported="A large move is another matter, since unrest lasts",
        refuted="Nor is a large move worth what we thought, though unrest lasts",
        undecided="A large move may be another matter, since unrest lasts; the periods scatter too widely to be sure",
    )
    + f" (H-SKILL-3 {badge('H-SKILL-3')}). "
    + says(
        "H-FLAT-1",
        supported="A hundred times the parameters changed nothing",
        refuted="A hundred times the parameters changed the loss",
        undecided="What a hundred times the parameters change is not settled",
        untested="What a hundred times the parameters change is not tested yet",
    )
    + f" (@sec-results-market-scaling; H-FLAT-1 {badge('H-FLAT-1')})."
)

# %% [markdown]
# ## What we would do otherwise
#
# - **Count periods, not seeds.** A seed that only draws other weights shows how steady the training is, and nothing
#   about the market. Here each seed is another period, so that intervals are wide. They have to be.
# - **Choose margins from the scatter between periods.** A margin of two thousandths of a nat sounded small. One crisis
#   moves a period's gain by ten times that. The margins should have come from a power calculation on the scatter
#   between years.
# - **Ask for direction and size apart.** A rise of more than [1 %]{.setting} mixes what nobody knows with what everybody knows. A
#   target in units of the present volatility would have been cleaner.
# - **The base rate moves.** A model is judged against the base rate of its training days; in a bull market the test
#   days have another one. Part of every gain and loss on these pages is that shift.
# - **Test the alarm, not the features.** That four of [188]{.setting} indicators of a popular package see the future was found by
#   computing prefixes, not by reading formulas. The alarm is a dozen lines, and it should be the first test of any such
#   pipeline.
#
# ## Where the track stands

# %%
progress("market")
