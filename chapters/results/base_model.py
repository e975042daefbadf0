# %% [markdown]
# # The base model {#sec-results-base-model}
#
# ## The question
#
# Fine-tuning needs a model to start from. It should already know several things, so that we can measure both what it
# learns and what it forgets. Can a GPT that trains on a laptop while you wait learn four skills well, each with an
# exact grader?

# %%
from IPython.display import Markdown

from llmlab.book.show import command, curves, evidence, method, note, value

found = evidence("base_model")
Markdown(
    f"It can. With {value('base_model', 'parameters')}, one model answers "
    f"{value('base_model', 'math')} of held-out sums, {value('base_model', 'reasoning')} of questions about transitive orders, "
    f"{value('base_model', 'code')} of calls to string functions and {value('base_model', 'knowledge')} of "
    "questions about known facts in a phrasing that it never saw."
)

# %% [markdown]
# ## Method
#
# The model is a character-level GPT with the architecture of GPT-2 [@radford2019gpt2; @vaswani2017attention]. It trains
# on all four skills at once, with AdamW [@loshchilov2017adamw] and the schedule of @sec-learning-rate. Only the
# characters of the answer count in the loss. An answer is right if every character of it, and the end of the line, is
# the most likely one: there is no partial credit and no judge. Each skill has at least a thousand test items, so that a
# loss of a few points shows. Its items come in levels of difficulty: a sum by its carries, an order by the letters
# between those asked for, a function by whether it leaves letters in place, a fact by the number of phrasings seen in
# training.

# %%
# | label: tbl-base-skills
# | tbl-cap: "The four skills. Training and test items share no prompt."
from llmlab.book.markup import pipe_table
from llmlab.finetune.tasks.skills import SKILLS

TESTED_ON = {
    "math": "sums",
    "reasoning": "orders of letters",
    "code": "arguments",
    "knowledge": "phrasings of known facts",
}
splits = {name: skill() for name, skill in SKILLS.items()}
Markdown(
    pipe_table(
        ["Skill", "Prompt", "Answer", "Training items", "Test items", "New in the test"],
        [
            [
                name,
                f"`{split.test[0].prompt}`",
                f"`{split.test[0].answer}`",
                f"{len(split.train):,}",
                f"{len(split.test):,}",
                TESTED_ON[name],
            ]
            for name, split in splits.items()
        ],
        numeric=(3, 4),
    )
)

# %%
note("base_model")

# %%
# | label: tbl-base-method
# | tbl-cap: "Conditions and budget of the base model."
method("base_model")

# %% [markdown]
# This command makes the table:

# %%
command("base_model")

# %% [markdown]
# ## Results

# %% [markdown]
# There is a single base model, so there is no interval over seeds: the experiments that follow all start from this
# model and repeat what comes after it. We can say how far the accuracy of *this* model may be from its accuracy on all
# possible items (@tbl-base-items).

# %%
# | label: tbl-base-items
# | tbl-cap: "Accuracy of the one base model with Wilson's 95 % confidence interval over test items."
from llmlab.book.numbers import interval, number
from llmlab.method.judging.statistics import wilson_interval

(row,) = found.runs.to_dict("records")
limit = found.experiment.budgets[found.scale].settings["test_items"]
rows = []
for name, split in splits.items():
    items = min(limit, len(split.test))
    estimate = wilson_interval(round(row[name] * items), items)
    ends = interval(estimate.low, estimate.high, "share")
    rows.append([name, number(estimate.value, "share"), ends, f"{items:,}"])
Markdown(
    pipe_table(["skill", "accuracy", "95 % confidence interval", "items"], rows, numeric=(1, 2, 3))
)

# %%
# | label: fig-base-progress
# | fig-cap: "Accuracy on each skill while the base model trains."
# | fig-alt: "Four rising curves of accuracy over training steps, one for each skill."
curves("base_model", ["math", "reasoning", "code", "knowledge"], together="accuracy")

# %%
# | label: fig-base-loss
# | fig-cap: "Training loss of the base model."
# | fig-alt: "A falling curve of the loss over training steps."
curves("base_model", "loss", log_y=True)

# %% [markdown]
# ## Learnings
#
# - **The model learns the skills at different times** (@fig-base-progress), so a skill that is missing at the end may
#   need more steps rather than a larger model.
# - **The model is a toy, but an exact one.** It cannot hold a conversation, but we can count what it forgets instead of
#   judging it. The experiments built on it need exactly that.
#
# *What would change our mind:* a second base model (another seed) for which the experiments that start from it give
# other verdicts. All of them rest on one base model, and nothing here shows that they would carry over to another.
