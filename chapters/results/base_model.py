# %% [markdown]
# # The base model {#sec-results-base-model}

# %%
import pandas as pd
from IPython.display import Markdown

from llmlab.book.show import answer, badge, command, curves, evidence, method, note, value

found = evidence("base_model")
answer(
    f"With {value('base_model', 'parameters')}, a GPT trained from scratch answers "
    f"{value('base_model', 'math')} of held-out sums, {value('base_model', 'reasoning')} of questions about transitive orders, "
    f"{value('base_model', 'code')} of calls to string functions and {value('base_model', 'knowledge')} of "
    "questions about known facts in a phrasing that it never saw."
)

# %% [markdown]
# ## The question
#
# Fine-tuning needs a model to start from. It should already know several things, so that we can measure both what it
# learns and what it forgets. Can a GPT that trains on a laptop while you wait learn four skills well, each with an
# exact grader?
#
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
# | tbl-cap: "Conditions and budget of the base models."
method("base_model")

# %% [markdown]
# This command makes the table:

# %%
command("base_model")

# %% [markdown]
# ## Results

# %%
seeds = found.manifest.seeds
limit = found.experiment.budgets[found.scale].settings["test_items"]
Markdown(
    f"At {found.scale} scale there {'is one base model' if len(seeds) == 1 else f'are {len(seeds)} base models'}"
    + (
        ". Every experiment that follows starts from it and repeats what comes after it, so its verdicts hold for this "
        "base model."
        if len(seeds) == 1
        else ", which differ in their initial weights and the order of their training data. A claim about a way to "
        "fine-tune should hold for more than one base model, so the experiments at this scale take turns: seed 0 starts "
        "from the first base model, seed 1 from the second, and so on, and around again."
    )
    + f" @tbl-base-items says how far accuracy on {limit:,} items may be from accuracy on all possible items."
)

# %%
# | label: tbl-base-items
# | tbl-cap: "Accuracy of each base model with Wilson's 95 % confidence interval over test items."
from llmlab.book.numbers import interval, number
from llmlab.method.judging.statistics import wilson_interval

rows = []
for name, split in splits.items():
    items = min(limit, len(split.test))
    for seed, share in zip(found.runs["seed"], found.runs[name], strict=True):
        estimate = wilson_interval(round(share * items), items)
        ends = interval(estimate.low, estimate.high, "share")
        rows.append([name, str(seed), number(share, "share"), ends])
Markdown(pipe_table(["skill", "seed", "accuracy", "95 % interval"], rows, numeric=(1, 2, 3)))

# %%
# | label: fig-base-progress
# | fig-cap: "Accuracy on each skill during training. Means over the base models; bands, if there are several, are 95 % confidence intervals."
# | fig-alt: "Four rising curves of accuracy over training steps, one for each skill."
curves("base_model", ["math", "reasoning", "code", "knowledge"], together="accuracy")

# %%
# | label: fig-base-loss
# | fig-cap: "Training loss of each base model."
# | fig-alt: "A falling curve of the loss over training steps, on a logarithmic axis, for each base model."
from llmlab.book import style
from llmlab.book.evidence.results import footer

losses = found.curves[found.curves["metric"] == "loss"]
losses = losses.merge(found.runs[["run_id", "seed"]], on="run_id")
figure, axes = style.subplots()
for seed, curve in losses.groupby("seed"):
    axes.plot(curve["step"], curve["value"], label=f"seed {seed}")
axes.set(xlabel="step", ylabel="loss (nats/token)", yscale="log")
axes.legend()
style.sign(figure, footer(found, legend=""))
figure

# %% [markdown]
# ### Does the base model decide what comes after it?
#
# @tbl-base-effects splits the findings on fine-tuning at this scale by the base model that the runs started from. The
# effect is a difference in accuracy or forgetting; each box in the chapter of a finding says what is compared.

# %%
# | label: tbl-base-effects
# | tbl-cap: "The mean effect of each finding over the runs from each base model, by the seed of the base model and in points, beside what is claimed."
from llmlab.book.evidence.effects import claim_text
from llmlab.book.numbers import change
from llmlab.method.judging.ledger_files import load_ledger
from llmlab.method.judging.verdict import Verdict, claimed_region
from llmlab.method.judging.verdicts import judge_hypotheses
from llmlab.method.project import Project

WORDS = {
    "H-LR-5": badge("H-LR-5"),
    "H-MODULES-1": badge("H-MODULES-1"),
    "H-MODULES-2": badge("H-MODULES-2"),
    "H-MODULES-3": badge("H-MODULES-3"),
    "H-MODULES-4": badge("H-MODULES-4"),
    "H-FULL-6": badge("H-FULL-6"),
    "H-FULL-7": badge("H-FULL-7"),
    "H-RANK-1": badge("H-RANK-1"),
    "H-RANK-2": badge("H-RANK-2"),
    "H-RANK-3": badge("H-RANK-3"),
    "H-RANK-4": badge("H-RANK-4"),
    "H-MINIMUM-1": badge("H-MINIMUM-1"),
    "H-MINIMUM-3": badge("H-MINIMUM-3"),
    "H-MINIMUM-4": badge("H-MINIMUM-4"),
}
project = Project.find()
ledger = load_ledger(project)
families = {ledger.hypothesis(name).family for name in WORDS}
judged = judge_hypotheses(project, [one for one in ledger.hypotheses if one.family in families])


def by_base(verdict: Verdict) -> list[float]:
    """The mean effect over the runs from each base model."""
    sides = pd.DataFrame({side.name: side.values for side in verdict.judgement.sides})
    effects = sides["treatment"] - sides["control"]
    return effects.groupby(effects.index % len(seeds)).mean().tolist()


def differ(verdict: Verdict) -> bool:
    """Whether the claim holds for the mean effect of some base models, but not of all."""
    low, high = claimed_region(verdict.hypothesis)
    return len({low <= effect <= high for effect in by_base(verdict)}) > 1


split = [
    each
    for each in judged
    if each.hypothesis.id in WORDS and each.scale == found.scale and each.judgement
]
Markdown(
    pipe_table(
        ["finding and claim", *map(str, seeds)],
        [
            [
                f"**{each.hypothesis.id}** {each.hypothesis.title}: "
                f"{claim_text(each.hypothesis, 'share').removesuffix(' points')} {WORDS[each.hypothesis.id]}",
                *(change(effect, "share").removesuffix(" points") for effect in by_base(each)),
            ]
            for each in split
        ],
        numeric=range(1, 1 + len(seeds)),
    )
)

# %%
apart = [each.hypothesis.id for each in split if differ(each)]
if len(seeds) == 1:
    text = "With one base model, nothing here shows that the findings would carry over to another."
elif not apart:
    text = f"No base model contradicts another: each of the {len(split)} claims holds for all of them or for none."
else:
    text = (
        f"For {len(apart)} of the {len(split)} claims the base models differ: the claim holds for the mean effect of "
        f"some, but not of all ({', '.join(apart)}). The tests count seeds, not base models, so read such a verdict as "
        "one on these base models."
    )
Markdown(text)

# %% [markdown]
# ## Learnings
#
# - **The model learns the skills at different times** (@fig-base-progress), so a skill that is missing at the end may
#   need more steps rather than a larger model.
# - **The model is a toy, but an exact one.** It cannot hold a conversation, but we can count what it forgets instead of
#   judging it. The experiments built on it need exactly that.
#
# *What would change our mind:* base models of other seeds for which the experiments that start from them give other
# verdicts. @tbl-base-effects looks for that among the few that we have, and they are all of one kind: one architecture,
# four skills, one tokenizer.
