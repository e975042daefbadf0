# %% [markdown]
# # The base model {#sec-results-base-model}
#
# ## The question
#
# Fine-tuning needs something to start from: a model that already knows several things, so that one can measure
# both what it learns and what it forgets. Can a GPT small enough to train on a laptop while you wait know four
# skills well, each with an exact grader?

# %%
from IPython.display import Markdown

from llmlab.book.show import command, curves, evidence, method, note, value

found = evidence("base_model")
Markdown(
    f"It has {value('base_model', 'parameters')}, and one model of this shape answers "
    f"{value('base_model', 'math')} of held-out sums, {value('base_model', 'reasoning')} of transitive orders, "
    f"{value('base_model', 'code')} of calls of string functions and {value('base_model', 'knowledge')} of "
    "questions about facts in a phrasing that it never saw."
)

# %% [markdown]
# ## Method
#
# The model is a GPT in the shape of GPT-2 [@radford2019gpt2; @vaswani2017attention] that reads characters. It is
# trained on all four skills at once, with AdamW [@loshchilov2017adamw] and the schedule of @sec-learning-rate. Only
# the characters of the answer count in the loss. An answer is right if every character of it, and the end of the
# line, is the most likely one: there is no partial credit and no judge. Each skill has at least a thousand items to
# test on, so that a loss of a few points can be seen, and its items come in levels of difficulty: a sum by its carries,
# an order by the letters between those asked for, a function by whether it leaves letters in place, a fact by how many
# phrasings it was trained in.

# %%
# | label: tbl-base-skills
# | tbl-cap: "The four skills. Train and test items share no prompt."
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
        ["Skill", "Prompt", "Answer", "Train items", "Test items", "New in the test"],
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
# The table is made by

# %%
command("base_model")

# %% [markdown]
# ## Results

# %% [markdown]
# There is a single base model, so there is no interval over seeds: the experiments that follow all start from this
# very model and repeat what comes after it. What can be said is how far the accuracy of *this* model might lie from
# its accuracy on all possible items (@tbl-base-items).

# %%
# | label: tbl-base-items
# | tbl-cap: "Accuracy of the one base model with Wilson's 95 % interval over test items."
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
Markdown(pipe_table(["skill", "accuracy", "95 % interval", "items"], rows, numeric=(1, 2, 3)))

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
# - **Skills are learned at different times** (@fig-base-progress), so a skill that is missing at the end may need
#   more steps rather than a larger model.
# - **The model is a toy, and it is exact.** It will not hold a conversation, but whether it forgot something can be
#   counted, not judged. That is what the experiments built on it need.
#
# *What would change our mind:* a second base model (another seed) on which the experiments that start from it give
# other verdicts. All of them stand on one base model, and nothing here shows that they would carry over to another.
