# %% [markdown]
# # What the first two experiments taught {#sec-learnings-first-two}
#
# Two experiments, one base model, some hundreds of small runs. This page gathers what they say together. Each
# sentence below is chosen by a verdict, and each number is read from a table: rerun the experiments, and the page
# follows.

# %%
from IPython.display import Markdown

from llmlab.book.show import badge, best, note, says, value

note("learning_rate")

# %%
note("lora_rank")

# %% [markdown]
# ## Choose the learning rate first

# %%
Markdown(
    says(
        "H-LR-3",
        supported="A wrong rate wastes everything else: runs at the lowest and at the highest rate cost as much as the "
        "best ones and taught little.",
        refuted="A rate that is too high is forgiven more than we thought.",
        undecided="How much a rate that is too high costs is not settled.",
    )
    + " From the lowest rate to the one that the validation loss chose, "
    f"{best('learning_rate', 'learning_rate')}, the share of right answers goes from "
    f"{value('learning_rate', 'accuracy', learning_rate=1e-5)} to "
    f"{value('learning_rate', 'accuracy', tuned=['learning_rate'])}. "
    + says(
        "H-LR-5",
        supported="Close to the best rate precision does not pay",
        refuted="Close to the best rate precision still pays",
        undecided="How much precision pays close to the best rate is not settled",
        untested="How much precision pays close to the best rate is not tested yet",
    )
    + f" (@sec-results-learning-rate; H-LR-5 {badge('H-LR-5')})."
)

# %% [markdown]
# ## Rank, rule and rate belong together

# %%
largest = {"rank": 64, "tuned": ["learning_rate"]}
Markdown(
    "At the largest rank, each rule at its own best learning rate, an adapter scaled by α/r recalls "
    f"{value('lora_rank', 'accuracy', scaling='alpha/r', **largest)} of the facts and one scaled by α/√r "
    f"{value('lora_rank', 'accuracy', scaling='rslora', **largest)}. "
    + says(
        "H-RANK-4",
        supported="The two rules, often reported as better and worse, cannot be told apart once each is tuned",
        refuted="The rules differ although both are tuned: a learning rate cannot stand in for the scale",
        undecided="Whether the rules differ once both are tuned is not settled",
        untested="Whether the rules differ once both are tuned is not tested yet",
    )
    + f" (@sec-results-lora-rank; H-RANK-4 {badge('H-RANK-4')}). "
    + says(
        "H-RANK-3",
        supported="And rank keeps paying where the rule lets it",
        refuted="And beyond rank eight more rank bought nothing, whatever the rule",
        undecided="Whether more rank than eight pays under α/√r is not settled",
        untested="Whether more rank than eight pays is not tested yet",
    )
    + f' (H-RANK-3 {badge("H-RANK-3")}). "Which rank?" has no answer before rule and rate are named, and a '
    "comparison at one shared rate would have compared rates."
)

# %% [markdown]
# ## Learning has a price

# %%
Markdown(
    says(
        "H-LR-6",
        supported="The higher the rate, the more of the old skills is lost",
        refuted="The old skills are not simply lost the faster the higher the rate",
        undecided="Whether higher rates lose more of the old skills throughout is not settled",
        untested="Whether higher rates lose more of the old skills is not tested yet",
    )
    + f" (H-LR-6 {badge('H-LR-6')}). At the rate that is best for subtraction, "
    f"{value('learning_rate', 'forgetting', tuned=['learning_rate'])} of the old items, averaged over the four skills, "
    "can no longer be answered (net). "
    "Whoever reports what a fine-tuned model learned should report this number beside it."
)

# %% [markdown]
# ## What we do not know
#
# - All of this stands on one base model that is tiny. Which of it holds for larger ones is what the gpu scale is for.
# - Both tasks are narrow. A task that shares more with what the model knows may forgive more.
# - Seeds change the adapter and the order of the data, not the base model and not the items. The intervals speak of
#   the former only.
