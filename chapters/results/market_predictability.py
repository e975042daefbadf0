# %% [markdown]
# # Can any model predict tomorrow's market? {#sec-results-market-predictability}

# %%
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.book.show import (
    answer,
    command,
    evidence,
    figure,
    method,
    note,
    says,
    table,
    value,
    verdict,
)

direction = says(
    "H-SKILL-1",
    supported="The transformer knows nothing about tomorrow's direction that is worth two thousandths of a nat.",
    refuted="On tomorrow's direction the transformer differs from the base rate by more than we said.",
    undecided="Ten periods do not decide whether the transformer's gain on tomorrow's direction is within two thousandths of a "
    "nat of zero: they differ too much from each other.",
)
unrest = says(
    "H-SKILL-3",
    supported="Large moves can be predicted to some extent, because volatility can.",
    refuted="Persistent volatility helps less than we thought to predict a rise of 1 %.",
    undecided="Volatility lasts, which should help to predict a rise of 1 %. The ten periods scatter too widely to decide it: "
    "one crisis weighs more than years of calm.",
)
answer(direction, unrest)

# %% [markdown]
# ## The question
#
# Can any model say more about the [S&P 500]{.setting} than how often it rises? We put two questions to five models: is
# tomorrow's close higher, and is the close in five days higher by more than [1 %]{.setting}? The second looks like the
# first, but it is different: a calm market seldom rises by [1 %]{.setting}, and calm can be predicted.

# %%
note("market_predictability")

# %%
# | label: fig-results-market-skill
# | fig-cap: "Gain over the base rate of the training days, in nats per day. Intervals are over disjoint test periods, one for each seed. A constant gains nothing by definition."
# | fig-alt: "Mean gains with intervals for five models and two questions. For the direction of tomorrow all lie close to zero; for a rise of 1 % in 5 days they lie somewhat above it with wide intervals."
figure("market_predictability", "gain", x="model", by="target")

# %% [markdown]
# ## Hypotheses and verdicts
#
# We registered these hypotheses before the runs at laptop scale.

# %%
verdict("H-SKILL-1")

# %%
verdict("H-SKILL-2")

# %%
verdict("H-SKILL-3")

# %%
verdict("H-SKILL-4")

# %% [markdown]
# ## Method
#
# We cut the days of the [S&P 500]{.setting} from 1999 to 2018 (package `arch`) into chunks. Each seed tests on another
# chunk, so **intervals on this page are over periods that have no day in common**, not over draws of the same one. The
# validation chunk, which stops the training, is half the data away from the test chunk. We drop all days that are
# closer to either than a sample looks back and ahead (@sec-market-features). Training days may come after the test
# days, so this measures what other periods say about one period; it is not a trading record.
#
# *Logistic* regression and gradient *boosting* read the [20]{.setting} indicators of the last day. *HAR* is a logistic
# regression on returns and volatilities of a day, a week and a month [@corsi2009har]. The *transformer* reads
# [16]{.setting} days. A *gain* is the log loss of the training days' base rate minus that of the model.

# %%
# | label: tbl-market-skill-method
# | tbl-cap: "Conditions and budget of the experiment on predictability."
method("market_predictability")

# %%
command("market_predictability")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-market-skill
# | tbl-cap: "Gain and Brier skill over the base rate, over disjoint test periods."
table("market_predictability", ["gain", "brier_skill"], by=["target", "model"], compare=False)

# %%
asked = "up 1 % in 5 days"
Markdown(
    f"For the larger rise in five days, logistic regression gains "
    f"{value('market_predictability', 'gain', model='logistic', target=asked)} and the transformer "
    f"{value('market_predictability', 'gain', model='transformer', target=asked)}. For tomorrow's direction, they gain "
    f"{value('market_predictability', 'gain', model='logistic', target='up tomorrow')} and "
    f"{value('market_predictability', 'gain', model='transformer', target='up tomorrow')}."
)

# %% [markdown]
# Does any of them beat the base rate, given that we tried five? Hansen's test of superior predictive ability
# [@hansen2005spa] answers this for all test days together, and the model confidence set [@hansen2011mcs] names the
# models that may be the best (*climatology* is the constant base rate). Both resample blocks of weeks.

# %%
# | label: tbl-results-market-contest
# | tbl-cap: "All test periods in a row, week by week: the p value that no model beats the base rate, and the models that may be the best, at 95 % confidence. The blocks of the bootstrap are eight weeks long."
from llmlab.market.models.scores import contest
from llmlab.method.levels import signed

found = evidence("market_predictability")
weeks = found.curves.merge(found.runs[["run_id", "model", "target", "seed"]], on="run_id")
rows = []
for target, part in weeks.groupby("target"):
    gains = part.pivot_table(index=["seed", "step"], columns="model", values="value").dropna()
    judged = contest(gains, block=8)
    rows.append([target, f"{len(gains)}", f"{judged.spa_p:.2f}", ", ".join(judged.confidence_set)])
Markdown(
    pipe_table(
        ["question", "weeks", "p (no model is better)", "may be the best"], rows, numeric=[1, 2]
    )
)

# %% [markdown]
# Within a single period two tests allow for the dependence between its days: the statistic of Diebold and Mariano
# [@diebold1995comparing], and an interval of the gain by a bootstrap of blocks of days [@politis1994stationary]. A model
# that gains in some periods and loses in others has no skill that one could rely on.

# %%
# | label: tbl-results-market-periods
# | tbl-cap: "Test periods one by one: the range of the Diebold-Mariano statistic (by chance beyond ±1.96 in one period of twenty), and the number of periods whose own 95 % interval of the gain lies above or below zero."
rows = [
    [
        target,
        model,
        f"{len(part)}",
        signed(f"{part['diebold_mariano'].min():.1f}"),
        signed(f"{part['diebold_mariano'].max():.1f}"),
        f"{(part['gain_low'] > 0).sum()}",
        f"{(part['gain_high'] < 0).sum()}",
    ]
    for (target, model), part in found.runs.groupby(["target", "model"])
    if model != "constant"
]
columns = ["question", "model", "periods", "lowest DM", "highest DM", "above 0", "below 0"]
Markdown(pipe_table(columns, rows, numeric=range(2, 7)))

# %% [markdown]
# ## Learnings

# %%
line = says(
    "H-SKILL-2",
    supported="The same holds for logistic regression.",
    refuted="Logistic regression does differ from the base rate by more than that.",
    undecided="For logistic regression it is open, after correction for all four hypotheses.",
)
contestants = says(
    "H-SKILL-4",
    supported="Six numbers about volatility do better than a transformer on twenty indicators.",
    refuted="The transformer does better than six numbers about volatility.",
    undecided="It is open whether six numbers about volatility do better than a transformer.",
)
Markdown("\n".join(f"- {one}" for one in (direction, line, unrest, contestants)))

# %% [markdown]
# *What would change our mind:* more periods, not more seeds within them. To detect a difference of a few thousandths of
# a nat we need many more independent years than there are. Other markets may count as some of them, although they share
# crises.
