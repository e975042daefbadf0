# %% [markdown]
# # What the first two experiments taught {#sec-learnings-first-two}
#
# Two experiments, one kind of base model, some hundreds of small runs: this page gathers what they say together. A verdict
# chooses each sentence below, and each number is read from a table. Rerun the experiments, and the page follows.

# %%
from IPython.display import Markdown

from llmlab.book.show import badge, best, cite, evidence, note, says, value

note("learning_rate")

# %%
note("lora_rank")

# %% [markdown]
# ## Choose the learning rate first

# %%
Markdown(
    says(
        "H-LR-3",
        supported="A wrong learning rate wastes everything else: runs at the lowest and at the highest rate cost as much as the "
        "best ones and taught little.",
        refuted="A learning rate that is too high costs less than we thought.",
        undecided="The runs do not decide how much a learning rate that is too high costs.",
    )
    + " From the lowest rate to the one with the best validation loss, "
    f"{best('learning_rate', 'learning_rate')}, the share of right answers changes from "
    f"{value('learning_rate', 'accuracy', learning_rate=1e-5)} to "
    f"{value('learning_rate', 'accuracy', tuned=['learning_rate'])}. "
    + says(
        "H-LR-5",
        supported="Near the best rate, tuning it more precisely does not pay:",
        refuted="Near the best rate, tuning it more precisely still pays:",
        undecided="By our rules, the runs do not yet decide whether more precise tuning pays near the best rate:",
        untested="We have not tested yet whether more precise tuning pays near the best rate",
        also="in these runs, accuracy {moves} on average when a good rate is doubled",
    )
    + f" (@sec-results-learning-rate; H-LR-5 {badge('H-LR-5')})."
)

# %% [markdown]
# ## Rank, scaling rule and rate belong together

# %%
largest = {"rank": evidence("lora_rank").runs["rank"].max(), "tuned": ["learning_rate"]}
Markdown(
    "At the largest rank, with each rule at its own best learning rate, an adapter scaled by α/r recalls "
    f"{value('lora_rank', 'accuracy', scaling='alpha/r', **largest)} of the facts and one scaled by α/√r "
    f"{value('lora_rank', 'accuracy', scaling='rslora', **largest)}. "
    + says(
        "H-RANK-4",
        supported="The two rules, often ranked as better and worse, give equal accuracy within the margin once each is tuned",
        refuted="The rules differ even when both are tuned: a learning rate cannot replace the scale",
        undecided="The runs do not decide whether the rules differ once both are tuned",
        untested="We have not tested yet whether the rules differ once both are tuned",
    )
    + f" (@sec-results-lora-rank; {cite('H-RANK-4')}). "
    + says(
        "H-RANK-3",
        supported="And rank keeps paying under α/√r",
        refuted="And under α/√r, ranks above eight do not gain what we claimed",
        undecided="It is open whether ranks above eight pay under α/√r",
        untested="We have not tested yet whether ranks above eight pay",
    )
    + f' ({cite("H-RANK-3")}). "Which rank?" has no answer until you name the rule and the rate, and a '
    "comparison at one shared rate would have compared rates."
)

# %% [markdown]
# ## Learning has a price

# %%
Markdown(
    says(
        "H-LR-6",
        supported="The higher the rate, the more of the old skills the model loses",
        refuted="A higher rate does not simply lose more of the old skills",
        undecided="The runs do not decide whether higher rates always lose more of the old skills",
        untested="We have not tested yet whether higher rates lose more of the old skills",
    )
    + f" ({cite('H-LR-6')}). At the rate that is best for subtraction, the model can no longer answer "
    f"{value('learning_rate', 'forgetting', tuned=['learning_rate'])} of the old items (net, averaged over the four skills). "
    "If you report what a fine-tuned model learned, report this number next to it."
)

# %% [markdown]
# ## What we do not know
#
# - All of this rests on tiny base models of one kind. What does not carry over from a smaller to a larger one stands in
#   @tbl-results-lr-scales and @tbl-rank-scales.
# - Both tasks are narrow. A task that shares more with what the model already knows may cost less of it.
# - Seeds change the adapter, the order of the data and, where there are several, the base model; they never change the
#   items. The intervals cover only what seeds change, and a few base models stand for all others
#   (@sec-results-base-model).
