# %% [markdown]
# # Which learning rate teaches most? {#sec-results-learning-rate}

# %%
import pandas as pd
from IPython.display import Markdown

from llmlab.book.numbers import level
from llmlab.book.show import (
    answer,
    best,
    command,
    curves,
    figure,
    means,
    method,
    note,
    says,
    scales,
    table,
    value,
    verdict,
)

cost = says(
    "H-LR-6",
    supported="A higher rate has its price: forgetting rises with the rate all along the sweep.",
    refuted="Forgetting does not simply rise with the rate, so one rate may suit both.",
    undecided="It is open whether forgetting rises with the rate throughout.",
)
best_rate = (
    "Of the rates that we tried, the validation loss chooses "
    f"{best('learning_rate', 'learning_rate')}. There the model answers "
    f"{value('learning_rate', 'accuracy', tuned=['learning_rate'])} of the subtractions that it had not seen."
)
answer(best_rate, cost)

# %% [markdown]
# ## The question
#
# We have a model that knows addition and three other skills (@sec-results-base-model), and we want it to learn
# subtraction with a LoRA adapter. Which learning rate teaches it most? What happens if the rate is too low, or too
# high? And what does each rate cost in skills that were there before? @sec-learning-rate explains the idea.

# %%
note("learning_rate")

# %%
# | label: fig-results-lr
# | fig-cap: "What the model learns (subtraction, held-out items) and forgets (mean drop in accuracy on the four old skills) at each learning rate. Dots are single runs."
# | fig-alt: "Upper panel: accuracy on the new skill over the learning rate. Lower panel: forgetting over the learning rate. Both with error bars, the learning rate on a logarithmic axis."
figure("learning_rate", ["accuracy", "forgetting"], x="learning_rate")

# %% [markdown]
# ## Hypotheses and verdicts
#
# We registered six hypotheses before these runs. The first four are about the shape that @fig-lr-sweep predicts: a
# slope, a floor and a wall.

# %%
verdict("H-LR-1")

# %%
verdict("H-LR-2")

# %%
verdict("H-LR-3")

# %%
verdict("H-LR-4")

# %%
verdict("H-LR-5")

# %%
verdict("H-LR-6")

# %% [markdown]
# ## Method
#
# Every run starts from a base model with a fresh adapter on all linear layers, and trains on the same items. Runs with
# the same seed share the base model, the adapter and the order of the items, so they differ only in the learning rate. The rate is the peak of the schedule in @fig-lr-schedule. Accuracy is the share of exact answers to
# subtractions that were not in the training data. Forgetting is the accuracy on the base model's four skills before
# minus after, averaged over the skills.

# %%
# | label: tbl-lr-method
# | tbl-cap: "Conditions and budget of the learning-rate experiment."
method("learning_rate")

# %% [markdown]
# This command makes the table:

# %%
command("learning_rate")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-lr
# | tbl-cap: "What the model learns and forgets at every learning rate."
table("learning_rate", ["accuracy", "validation_loss", "forgetting"], by="learning_rate")

# %%
Markdown(
    "The validation loss, without a look at the test items, chooses the learning rate "
    f"{best('learning_rate', 'learning_rate')}. At this rate the model answers "
    f"{value('learning_rate', 'accuracy', tuned=['learning_rate'])} of the subtractions, "
    f"and can no longer answer {value('learning_rate', 'forgetting', tuned=['learning_rate'])} of the old items "
    "(net, averaged over the four skills)."
)

# %% [markdown]
# The loss curves show *how* a rate fails.

# %%
# | label: fig-results-lr-loss
# | fig-cap: "Training loss at each learning rate, mean over seeds with its 95 % confidence interval."
# | fig-alt: "One curve for each learning rate: the lowest rates fall slowly, the middle ones fastest, the highest stay noisy."
curves("learning_rate", "loss", by="learning_rate", log_y=True)

# %% [markdown]
# The model does not forget every skill alike. @fig-results-lr-skills shows what is left of each.

# %%
# | label: fig-results-lr-skills
# | fig-cap: "Accuracy on each of the base model's skills after fine-tuning on subtraction."
# | fig-alt: "Four lines, one for each old skill, of accuracy over the learning rate."
figure(
    "learning_rate",
    ["math_after", "reasoning_after", "code_after", "knowledge_after"],
    x="learning_rate",
    together="accuracy",
)

# %% [markdown]
# Does the size of the model matter? @tbl-results-lr-scales has every claim at every scale. A larger scale also trains
# on larger batches.

# %%
# | label: tbl-results-lr-scales
# | tbl-cap: "The verdict on each claim at each scale, with its effect, its 90 % interval and the number of seeds."
scales("H-LR-1")

# %% [markdown]
# ## Learnings

# %%
slope = says(
    "H-LR-1",
    supported="A rate that is far too low does not fail loudly: its runs finish normally but have hardly learned.",
    refuted="Even the lowest rate learns: the slope on the left is flatter than we thought.",
    undecided="It is open whether the lowest rate learns markedly less.",
)
published = says(
    "H-LR-2",
    supported="A rate that suits a model with billions of parameters is too low for this one: do not copy a "
    "rate across sizes.",
    refuted="The rate of the QLoRA paper does as well here as the higher one: it carries over better than we thought.",
    undecided="It is open whether the rate of the QLoRA paper is too low here.",
)
wall = says(
    "H-LR-3",
    supported="There is a wall behind the floor: the highest rate learns much less than a good one, although "
    "clipping keeps its runs alive.",
    refuted="The wall is further away than we thought: the highest rate loses less than we said.",
    undecided="It is open whether the highest rate hits the wall.",
)
flat = says(
    "H-LR-5",
    supported="Near the best rate a factor of two hardly matters: a coarse sweep is enough, as long as it is wide.",
    refuted="Even a factor of two near the best rate matters here: a coarse sweep can miss what the task allows.",
    undecided="By our rules it is still open whether a factor of two near the best rate matters.",
    also="In these runs, accuracy {moves} on average when a good rate is doubled.",
)
Markdown("\n".join(f"- {learning}" for learning in (slope, published, wall, flat, cost)))

# %% [markdown]
# @fig-results-lr-skills shows one more thing. Nobody registered it, so take it as an observation, not as a result.

# %%
SKILLS = {
    "math_after": "addition (the skill closest to the new one)",
    "reasoning_after": "reasoning",
    "code_after": "code",
    "knowledge_after": "the facts",
}
LOST = 0.9  # a skill below this share of right answers has begun to go
left = pd.DataFrame(
    {
        skill: means("learning_rate", skill, by="learning_rate").set_index("learning_rate")["mean"]
        for skill in SKILLS
    }
)
going = left[(left < LOST).any(axis=1)]
if going.empty:
    text = "No rate of this sweep makes the model begin to lose a skill."
else:
    rate = going.index[0]
    at_that_rate = {
        metric: value("learning_rate", metric, learning_rate=rate)
        for metric in ("accuracy", *SKILLS)
    }
    skills = ", ".join(f"{at_that_rate[each]} of {name}" for each, name in SKILLS.items())
    text = (
        f"The lowest rate of the sweep that costs a skill a tenth of its items is {level(rate)}. There the model answers "
        f"{at_that_rate['accuracy']} of the subtractions, and of the old skills {skills}. Does it matter how close two "
        "skills are? That is a question for an experiment with several new skills."
    )
Markdown(text)

# %% [markdown]
# *What would change our mind:* each verdict above gives the effect that would reverse it. Beyond that, all runs share
# one kind of base model, one adapter and one task. If a sweep on another task has its best rate elsewhere, these
# verdicts are facts about subtraction rather than about learning rates. That is the next experiment to add
# (@sec-adding-an-experiment). @sec-results-full trains all weights instead of an adapter.
