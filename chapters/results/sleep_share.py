# %% [markdown]
# # Share, in three readings {#sec-results-sleep-share}

# %%
from IPython.display import Markdown

from llmlab.book.show import (
    answer,
    badge,
    command,
    figure,
    method,
    note,
    says,
    table,
    value,
    verdict,
)

keeps = says(
    "H-SHARE-1",
    supported="With all adapters at hand and twice their steps, Share keeps what they know.",
    refuted="With all adapters at hand, Share does not keep what they know, even with twice their steps.",
    undecided="It is open whether Share keeps what adapters know, even with twice their steps.",
)
basis = says(
    "H-SHARE-4",
    supported="The learned basis is worth more than a random one.",
    refuted="The learned basis is worth no more than a random one, by our margin.",
    undecided="It is open whether the learned basis is worth more than random directions.",
)
answer(keeps, basis)

# %% [markdown]
# ## The question
#
# Share [@share2026] holds the adapters of many tasks in one basis and promises to learn task after task without
# forgetting. Its paper and its authors' code differ. The predecessor of this lab had a third reading, in which averaged
# coefficients "kept the baseline". Which of them keeps what the adapters know, and is the basis the reason?

# %%
note("sleep_share")

# %%
# | label: fig-sleep-share
# | fig-cap: "Pass rate after six families minus before, by method. The last one is noise as strong as the adapters."
# | fig-alt: "One point with its interval for each method."
figure("sleep_share", "gain", x="method")

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-SHARE-1")

# %%
verdict("H-SHARE-2")

# %%
verdict("H-SHARE-3")

# %%
verdict("H-SHARE-4")

# %%
verdict("H-SHARE-5")

# %%
verdict("H-SHARE-6")

# %%
verdict("H-SHARE-7")

# %%
verdict("H-SHARE-8")

# %%
verdict("H-SHARE-9")

# %% [markdown]
# ## Method
#
# Six families arrive in an order that each seed draws, three that the base was taught and three that it was not. The
# adapters are those of @sec-results-sleep-library. The family of a program is known, as in the paper, so a method may
# have weights for each family; *mean*, *mean-factors* and *share-averaged* have one set for all.
#
# | Method | What it does |
# |:--|:--|
# | separate | an adapter for each family |
# | share-projected | adapters projected onto their common basis, @eq-subspaces |
# | share-full | the same, then coefficients trained for as many steps again |
# | share-continual | the paper's stream: basis of two, then two directions per task, merged |
# | share-as-coded | the authors' program, step by step |
# | share-coefficients | coefficients alone, from scratch, in the basis |
# | random-coefficients | the same in random directions |
# | share-averaged | mean coefficients in the basis |
# | mean-factors | product of mean factors, @eq-gauge-mean |
# | mean | mean of ΔW |
# | null | random factors of the adapters' size |
#
# : What the methods do. {#tbl-sleep-share-methods}
#
# The authors' code takes its first basis from one adapter, whose centred columns have fewer directions than its rank; it
# asks for [32]{.setting}, so most of them are arbitrary. Coefficients start from those of the previous task. What a task
# learns in added vectors shapes the next basis and is then dropped from the task itself. The paper says none of this.
#
# **Not all methods train for the same number of steps.** The adapters were trained in the library. *share-full* trains the
# coefficients of each family for as many steps again, so its weights have seen twice the steps of *separate*.
# *share-projected*, the averages and the means train no further. *share-continual* has the steps of *separate*, and
# *share-as-coded* trains its first family twice. Coefficients alone have the steps of an adapter and a higher rate, in a
# basis of trained adapters. So a tie of *share-full* with *separate* would not say that Share is as good at the same cost,
# only that more training makes up for what the basis loses. The difference between *share-projected* and *separate* shows
# what the basis alone loses.

# %%
# | label: tbl-sleep-share-method
# | tbl-cap: "Conditions and budget."
method("sleep_share")

# %% [markdown]
# This command makes the table:

# %%
command("sleep_share")

# %% [markdown]
# ## Results

# %%
# | label: tbl-sleep-share
# | tbl-cap: "Six families in a row, by method."
table(
    "sleep_share",
    ["pass_rate", "gain", "taught_gain", "new_gain", "early_gain", "late_gain"],
    by="method",
)

# %% [markdown]
# ## Why averages return to the baseline
#
# The factors of an adapter are defined up to a gauge (@sec-gauge), and so are its coefficients in a basis.
# @tbl-sleep-share-size has the size of what each method adds, relative to the separate adapters and relative to
# @eq-gauge-forecast: a one in the second column means that the forecast for unrelated gauges is exact.

# %%
# | label: tbl-sleep-share-size
# | tbl-cap: "Size of the added weights, relative to the separate adapters and to the forecast for the product of mean factors."
table("sleep_share", ["size", "size_to_forecast"], by="method", compare=False)

# %% [markdown]
# ## Learnings

# %%
stream = says(
    "H-SHARE-2",
    supported="Task after task it learns less than separate adapters, as the table of its paper says, too.",
    refuted="Task after task it falls less than three points behind separate adapters.",
    undecided="It is open what learning task after task costs.",
)
code = says(
    "H-SHARE-3",
    supported="The authors' code does better than what the paper describes.",
    refuted="The authors' code does no better than what the paper describes.",
    undecided="It is open whether the code does better than the paper.",
)
mean = says(
    "H-SHARE-9",
    supported="The mean adapter does not explain it.",
    refuted="The mean adapter does as well as the basis.",
    undecided="It is open whether the mean adapter explains it.",
)
Markdown(
    f"A basis that holds three fifths of the variance in every layer has "
    f"{value('sleep_share', 'directions', method='separate')} directions, on average over the seeds.\n\n"
    + f"- {keeps} (H-SHARE-1 {badge('H-SHARE-1')})\n"
    f"- {stream} (H-SHARE-2 {badge('H-SHARE-2')})\n"
    f"- {code} (H-SHARE-3 {badge('H-SHARE-3')})\n"
    f"- {basis} (H-SHARE-4 {badge('H-SHARE-4')})\n"
    f"- {mean} (H-SHARE-9 {badge('H-SHARE-9')})\n"
)

# %% [markdown]
# The paper reports [83.44]{.setting} on GLUE for Share with all adapters, [83.43]{.setting} for separate adapters, and
# [78.69]{.setting} for the stream, in which one task stays at its majority class throughout. The predecessor of this lab
# had [73.3]{.setting} for the baseline, for averaged and for full Share, and [66.7]{.setting} for coefficients alone, on
# thirty koans: @sec-episodes says what so few can show.
#
# *What this holds for:* one small coder (@sec-results-sleep-base), six families of generated Python whose names are given,
# and adapters of a night's few steps.
#
# *What would change our mind:* wider layers. Nine directions of sixty-four are many; of four thousand they are few.
