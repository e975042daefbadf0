# %% [markdown]
# # An adapter for each program {#sec-results-sleep-routing}

# %%
from IPython.display import Markdown

from llmlab.book.show import answer, badge, command, figure, method, note, says, table, verdict

choosing = says(
    "H-ROUTING-2",
    supported="Choosing an adapter for each program beats merging them.",
    refuted="Choosing an adapter for each program does not beat merging them by as much as we asked for.",
    undecided="It is open whether choosing an adapter for each program beats merging them.",
)
guess = says(
    "H-ROUTING-1",
    supported="A learned guess of the bug's family is as good as knowing it.",
    refuted="A learned guess of the bug's family is worse than knowing it.",
    undecided="It is open whether a learned guess of the bug's family is as good as knowing it.",
)
answer(choosing, guess)

# %% [markdown]
# ## The question
#
# Merging adapters loses some of what they know. Choosing one for each program loses nothing, if the choice is right. Can
# the family of a bug be told from a red program? And would one adapter for all do just as well?

# %%
note("sleep_routing")

# %%
# | label: fig-sleep-routing
# | fig-cap: "Pass rate minus that of the base, by who answers: the adapter of the right family, of a guessed one, of a random one, the mean of all, or one adapter trained on everything."
# | fig-alt: "Five points with intervals."
figure("sleep_routing", "gain", x="route")

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-ROUTING-1")

# %%
verdict("H-ROUTING-2")

# %%
verdict("H-ROUTING-3")

# %%
verdict("H-ROUTING-4")

# %% [markdown]
# ## Method
#
# Twelve adapters come from @sec-results-sleep-library. The learned route is a softmax regression on the base's last-layer
# state at the last token of the question, before any answer. It is trained on the programs that the adapters were trained
# on. *One* is a single adapter trained on all lessons, for as many steps as all twelve together.

# %%
# | label: tbl-sleep-routing-method
# | tbl-cap: "Conditions and budget."
method("sleep_routing")

# %% [markdown]
# This command makes the table:

# %%
command("sleep_routing")

# %% [markdown]
# ## Results

# %%
# | label: tbl-sleep-routing
# | tbl-cap: "Who answers, and how well."
table(
    "sleep_routing",
    ["pass_rate", "gain", "regressions", "taught_gain", "new_gain", "rightly_routed"],
    by="route",
)

# %% [markdown]
# ## Learnings

# %%
one = says(
    "H-ROUTING-3",
    supported="One adapter for all does as well as twelve.",
    refuted="One adapter for all does not match twelve.",
    undecided="It is open whether one adapter for all does as well as twelve.",
)
wrong = says(
    "H-ROUTING-4",
    supported="The wrong adapter does harm.",
    refuted="The wrong adapter does less harm than we thought.",
    undecided="It is open what the wrong adapter does.",
)
Markdown(
    f"- {guess} (H-ROUTING-1 {badge('H-ROUTING-1')})\n"
    f"- {choosing} (H-ROUTING-2 {badge('H-ROUTING-2')})\n"
    f"- {one} (H-ROUTING-3 {badge('H-ROUTING-3')})\n"
    f"- {wrong} (H-ROUTING-4 {badge('H-ROUTING-4')})\n"
)

# %% [markdown]
# The predecessor of this lab reports [50.0]{.setting} % for a routed choice, [43.3]{.setting} or [50.0]{.setting} for
# the average (its files disagree), and [46.7]{.setting} for the base, on thirty koans: these cannot be told apart.
#
# *What this holds for:* one small coder (@sec-results-sleep-base) and twelve families of generated Python, all of which
# the router has seen; a program of another family has no right adapter.
#
# *What would change our mind:* families that look alike. Here an error and its line almost name the bug.
