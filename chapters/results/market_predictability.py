# %% [markdown]
# # What can be said of tomorrow {#sec-results-market-predictability}
#
# ## The question
#
# Can any model say more of the [S&P 500]{.setting} than how often it rises? Two questions are put to five models: whether
# tomorrow's close is higher, and whether the close in five days is higher by more than [1 %]{.setting}. The second looks like the
# first, but it is not: a calm market seldom rises by [1 %]{.setting}, and calm can be foreseen.

# %%
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.book.show import command, evidence, figure, method, note, says, table, value, verdict

note("market_predictability")

# %%
# | label: fig-results-market-skill
# | fig-cap: "Gain over the base rate of the training days, in nats a day. Intervals are over disjoint test periods, one for each seed. A constant gains nothing by definition."
# | fig-alt: "Mean gains with intervals for five models and two questions. For the direction of tomorrow all lie close to zero; for a rise of 1 % in 5 days they lie somewhat above it with wide intervals."
figure("market_predictability", "gain", x="model", by="target")

# %% [markdown]
# ## Hypotheses and verdicts
#
# They were registered before the runs at laptop scale.

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
# The days of the [S&P 500]{.setting} from 1999 to 2018 (package `arch`) are cut into chunks; each seed tests on another one, so **an
# interval on this page is over periods that have no day in common**, not over draws of the same one. The chunk half-way
# round stops the training. All days nearer to either than a sample looks back and ahead are dropped
# (@sec-market-features). Training days may lie after the test days, so this measures what can be known of one period
# from others; it is no trading record.
#
# *Logistic* regression and gradient *boosting* read the [20]{.setting} indicators of the last day. *HAR* is a logistic regression
# on returns and volatilities of a day, a week and a month [@corsi2009har]. The *transformer* reads [16]{.setting} days. A *gain* is
# the log loss of the training days' base rate less that of the model.

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
    f"Asked for a large rise, logistic regression gains "
    f"{value('market_predictability', 'gain', model='logistic', target=asked)} and the transformer "
    f"{value('market_predictability', 'gain', model='transformer', target=asked)}. Asked for tomorrow, they gain "
    f"{value('market_predictability', 'gain', model='logistic', target='up tomorrow')} and "
    f"{value('market_predictability', 'gain', model='transformer', target='up tomorrow')}."
)

# %% [markdown]
# Does any of them beat the base rate once it is counted that five were tried? Hansen's test of superior predictive
# ability [@hansen2005spa] asks that of all test days together, and the model confidence set [@hansen2011mcs] names the
# models that may be the best. Both resample blocks of weeks.

# %%
# | label: tbl-results-market-contest
# | tbl-cap: "All test periods in a row, week by week: the p value that no model beats the base rate, and the models that may be the best, at 95 % confidence. The blocks of the bootstrap are eight weeks long."
from llmlab.market.models.scores import contest

found = evidence("market_predictability")
weeks = found.curves.merge(found.runs[["run_id", "model", "target", "seed"]], on="run_id")
rows = []
for target, part in weeks.groupby("target"):
    gains = part.pivot_table(index=["seed", "step"], columns="model", values="value").dropna()
    judged = contest(gains.drop(columns="constant"), block=8)
    rows.append([target, f"{len(gains)}", f"{judged.spa_p:.2f}", ", ".join(judged.confidence_set)])
Markdown(
    pipe_table(
        ["question", "weeks", "p (no model is better)", "may be the best"], rows, numeric=[1, 2]
    )
)

# %% [markdown]
# ## Learnings

# %%
direction = says(
    "H-SKILL-1",
    supported="Of tomorrow's direction the transformer knows nothing worth two thousandths of a nat.",
    refuted="Of tomorrow's direction the transformer is off the base rate by more than we said.",
    undecided="Whether the transformer's gain on tomorrow's direction is within two thousandths of a nat of nothing, ten "
    "periods do not say: they differ too much from each other.",
)
line = says(
    "H-SKILL-2",
    supported="Nor does logistic regression.",
    refuted="Logistic regression is off it, too.",
    undecided="Nor do they say it of logistic regression, once all four hypotheses are counted.",
)
unrest = says(
    "H-SKILL-3",
    supported="Large moves can be foreseen to some extent, since unrest can.",
    refuted="That unrest lasts is worth less than we thought when a rise of 1 % is asked for.",
    undecided="That unrest lasts should help where a rise of 1 % is asked for. The mean gain points that way, and the "
    "periods scatter widely around it: one crisis weighs more than years of calm.",
)
contestants = says(
    "H-SKILL-4",
    supported="Six numbers about volatility do better than a transformer on twenty indicators.",
    refuted="The transformer does better than six numbers about volatility.",
    undecided="Which of six numbers and a transformer does better, they do not say either.",
)
Markdown("\n".join(f"- {one}" for one in (direction, line, unrest, contestants)))

# %% [markdown]
# *What would change our mind:* more periods, not more seeds within them. A difference of a few thousandths of a nat
# needs many more independent years than there are; other markets may count as some of them, though crises are shared.
