# %% [markdown]
# # Does LoRA forget less? And what does replay buy? {#sec-results-forgetting}

# %%
from IPython.display import Markdown

from llmlab.book import style
from llmlab.book.evidence import readings
from llmlab.book.evidence.results import footer
from llmlab.book.show import (
    answer,
    best,
    command,
    curves,
    difference,
    evidence,
    figure,
    means,
    method,
    note,
    says,
    table,
    value,
    verdict,
)

equal = says(
    "H-FORGET-1",
    supported="At equal accuracy LoRA forgets less, if each method trains at the rate at which it learns best.",
    refuted="At equal accuracy LoRA does not forget less by as much as we called relevant. Its reputation may come "
    "from comparisons of models that have learned different amounts.",
    undecided="It is open whether LoRA forgets less at equal accuracy: the answer depends on the rate, "
    "and the grid has to go further.",
    also="LoRA minus full fine-tuning is {}.",
)
little = says(
    "H-REPLAY-1",
    supported="One old item in twenty already helps.",
    refuted="One old item in twenty is too little to help by as much as we called relevant.",
    undecided="It is open whether one old item in twenty helps.",
    also="In full fine-tuning, forgetting {moves}.",
)
answer(equal, little)

# %% [markdown]
# ## The question
#
# A model that learns something new loses some of what it knew (@sec-forgetting). LoRA is said to learn less and forget
# less [@biderman2024lora]. But a model that learns less has less reason to forget. So: does LoRA forget less than full
# fine-tuning *once both have learned the new task equally well*? And how much replay of old items keeps a model from
# forgetting?

# %%
note("forgetting")

# %%
# | label: fig-results-forgetting
# | fig-cap: "Accuracy on the old skills over accuracy on the new task during training, which moves to the right. One panel for each share of replay; every method at the learning rate with its best validation loss. Points are means over seeds at each evaluation, bars 95 % confidence intervals."
# | fig-alt: "Panels of the accuracy on old skills over the accuracy on the new task, one line for each method. Lines start at the upper left, with all old skills and nothing of the new task."
found = evidence("forgetting")
old, new = (
    readings.mean_curves(found, [curve], ["replay", "method"], {}, ["learning_rate"])
    for curve in ("old_accuracy", "new_accuracy")
)
path = old.merge(new, on=["replay", "method", "step"], suffixes=("", "_new"))
shares, methods = list(path["replay"].unique()), list(path["method"].unique())
drawn, panels = style.subplots(1, len(shares), sharey=True, sharex=True)
for axes, share in zip(panels, shares, strict=True):
    for name, colour, marker in zip(methods, style.CYCLE, style.MARKERS, strict=False):
        looks = path[(path["replay"] == share) & (path["method"] == name)]
        points = [100 * looks[column] for column in ("mean_new", "mean", "low", "high")]
        style.error_line(axes, *points, marker=marker, color=colour, markersize=4, label=name)
    axes.set(title=f"{100 * share:.0f} % replay", xlabel="new task (%)", ylim=(-3, 103))
panels[0].set_ylabel("old skills (%)")
panels[-1].legend()
style.sign(drawn, footer(found))
drawn

# %% [markdown]
# ## Hypotheses and verdicts
#
# First comes the comparison at equal accuracy, then the general claims about forgetting.

# %%
verdict("H-FORGET-1")

# %% [markdown]
# That compares one rate of each method, the one that learns best. A lower rate may reach the same accuracy later and
# have lost less by then. The fairer question is the frontier: the least that each method has forgotten at the target
# accuracy, over all its rates.

# %%
verdict("H-FRONTIER-1")

# %%
verdict("H-FRONTIER-2")

# %% [markdown]
# The other claims:

# %%
verdict("H-FORGET-2")

# %%
verdict("H-FORGET-3")

# %%
verdict("H-FORGET-4")

# %%
verdict("H-FORGET-5")

# %% [markdown]
# Then we test what replay does, and what it costs.

# %%
verdict("H-REPLAY-1")

# %%
verdict("H-REPLAY-2")

# %%
verdict("H-REPLAY-3")

# %% [markdown]
# ## Method
#
# The base model (@sec-results-base-model) knows four skills: two-digit addition, transitive order, string functions and
# made-up facts. We fine-tune it on subtraction, which resembles addition and none of the other skills. We try every
# method at every learning rate with every share of replay. Replayed items come from the base model's training data, the
# same number from each skill, never from the test items. The number of optimizer steps is fixed, so replay takes its
# share of them from the new task.
#
# During training we grade every run on the new task's validation items and on a part of the old skills' items. From
# this we read what it had forgotten when the accuracy on the new task first reached the target, interpolating linearly
# between two evaluations. A run that never gets there has no such value; verdicts say how many seeds were left out for
# that reason. At the end we grade the old skills on all their items.

# %%
# | label: tbl-forgetting-method
# | tbl-cap: "Conditions and budget of the forgetting experiment."
method("forgetting")

# %% [markdown]
# This command makes the table:

# %%
command("forgetting")

# %% [markdown]
# ## The accuracy matrix
#
# @fig-results-forgetting-matrix shows the accuracies before and after fine-tuning, @tbl-results-forgetting the same
# with intervals.

# %%
# | label: fig-results-forgetting-matrix
# | fig-cap: "Accuracy on the four old skills and on the new task, before and after fine-tuning, in per cent. Every condition at the learning rate with its best validation loss; means over seeds."
# | fig-alt: "A grid of shaded cells with numbers. The top row, the base model, is dark for all old skills and light for the new task; further down the old skills are lighter, least where much is replayed, and the new task is darker."
import numpy as np

SKILLS = ("math", "reasoning", "code", "knowledge")
runs = found.runs
completed = runs[runs["status"] == "completed"]
before = [
    (completed[f"{skill}_after"] + completed[f"{skill}_forgetting"]).mean() for skill in SKILLS
]
new_before = new.loc[new["step"] == 0, "mean"].mean()  # on the validation items
columns = [f"{skill}_after" for skill in SKILLS] + ["accuracy"]
cells = [
    means("forgetting", column, by=["method", "replay"], tuned=["learning_rate"])
    for column in columns
]
labels = [f"{row.method}, {100 * row.replay:.0f} % replay" for row in cells[0].itertuples()]
matrix = np.array([[*before, new_before], *np.array([cell["mean"] for cell in cells]).T])
drawn, axes = style.subplots(height=0.6 + 0.32 * len(matrix))
axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1, aspect="auto")
for (row, column), share in np.ndenumerate(matrix):
    colour = "white" if share > 0.6 else style.INK
    axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour)
axes.set_xticks(range(5), ["addition", *SKILLS[1:], "subtraction"])
axes.set_yticks(range(len(matrix)), ["before", *labels])
axes.axvline(3.5, color="white", linewidth=3)
axes.axhline(0.5, color="white", linewidth=3)
axes.tick_params("x", labelsize=9)
axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
axes.grid(visible=False)
for spine in axes.spines.values():
    spine.set_visible(False)
style.sign(drawn, footer(found, legend=""))
drawn

# %%
# | label: tbl-results-forgetting
# | tbl-cap: "Every method with every share of replay, at the learning rate with its best validation loss: accuracy on each old skill and on the new task after fine-tuning, and mean forgetting."
table(
    "forgetting",
    [*columns, "forgetting"],
    by=["method", "replay"],
    tuned=["learning_rate"],
)

# %% [markdown]
# ## At equal accuracy
#
# @fig-results-forgetting-target makes the comparison that the first hypotheses are about. @fig-results-forgetting-end
# shows what you get if you ignore how much was learned: forgetting at the end of the runs at each learning rate.

# %%
# | label: fig-results-forgetting-target
# | fig-cap: "Forgetting when the accuracy on the new task first reaches the target, for each share of replay, each method at its own best learning rate. Runs that never get there are left out; a point without a bar is a single run."
# | fig-alt: "One line for each method of forgetting at the target over the share of replay, with error bars."
figure(
    "forgetting",
    "forgetting_at_target",
    x="replay",
    by="method",
    tuned=["learning_rate"],
)

# %%
# | label: fig-results-forgetting-end
# | fig-cap: "Above: forgetting at the end of training, by learning rate. Below: accuracy on the new task by then. Both with the smaller nonzero share of replay."
# | fig-alt: "Two panels with one line for each method over the learning rate on a logarithmic axis, with error bars: forgetting above, accuracy on the new task below."
figure(
    "forgetting",
    ["forgetting", "accuracy"],
    x="learning_rate",
    by="method",
    replay=float(shares[1]),
)

# %% [markdown]
# Every run is a point in @fig-results-forgetting-tradeoff. The lower right is best: much learned, little lost.

# %%
# | label: fig-results-forgetting-tradeoff
# | fig-cap: "Forgetting and accuracy on the new task at the end of every run, over all learning rates and seeds. Colours and markers show the method; the stronger the colour, the more replay."
# | fig-alt: "A cloud of points, forgetting over accuracy on the new task. Points with more replay lie lower."
drawn, axes = style.subplots(height=3.6)
for name, colour, marker in zip(methods, style.CYCLE, style.MARKERS, strict=False):
    axes.plot([], [], marker, color=colour, label=name)
    for share, strength in zip(shares, np.linspace(0.25, 1, len(shares)), strict=True):
        chosen = completed[(completed["method"] == name) & (completed["replay"] == share)]
        axes.plot(
            100 * chosen["accuracy"],
            100 * chosen["forgetting"],
            marker,
            color=colour,
            alpha=strength,
            markeredgewidth=0,
        )
axes.set(xlabel="accuracy on the new task (%)", ylabel="forgetting (%)")
axes.legend()
style.sign(drawn, footer(found, legend=""))
drawn

# %% [markdown]
# ## Is forgetting linear in the loss?
#
# @kalajdzievski2024forgetting found that forgetting is linear in the fine-tuning loss. @fig-results-forgetting-line
# follows our runs: training goes from the right, where the new loss is high, to the left. The long straight piece is a
# single stretch, from the base model to the first evaluation, with no measurements in between. H-FORGET-4 leaves it out
# and tests the evaluations after it, which crowd at the left.

# %%
# | label: fig-results-forgetting-line
# | fig-cap: "Loss on the old skills over loss on the new task during training without replay, each method at its own best learning rate. Means over seeds with 95 % confidence intervals."
# | fig-alt: "One line for each method. From the base model at the far right, with a high new loss and a low old one, lines climb to a high old loss while the new loss falls."
curves(
    "forgetting",
    "old_loss",
    by="method",
    x="new_loss",
    tuned=["learning_rate"],
    replay=0.0,
)

# %% [markdown]
# ## What replay buys and costs

# %%
# | label: fig-results-forgetting-replay
# | fig-cap: "Forgetting and accuracy on the new task at the end of training, by share of replay, each method at its own best learning rate."
# | fig-alt: "Two panels with one line for each method over the share of replay: forgetting falls, and accuracy on the new task falls with it."
figure(
    "forgetting",
    ["forgetting", "accuracy"],
    x="replay",
    by="method",
    tuned=["learning_rate"],
)

# %% [markdown]
# ## Learnings

# %%
most = float(shares[-1])
at_most = {
    name: difference(
        "forgetting",
        "forgetting",
        treatment={"method": name, "replay": most},
        control={"method": name, "replay": 0.0},
        tuned=["learning_rate"],
    )
    for name in methods
}


def price(name: str) -> str:
    """What the smaller share of replay changes in the accuracy on the new task."""
    return difference(
        "forgetting",
        "accuracy",
        treatment={"method": name, "replay": float(shares[1])},
        control={"method": name, "replay": 0.0},
        tuned=["learning_rate"],
    )


def learned(name: str, rate: float) -> str:
    """Accuracy on the new task with the smaller share of replay at a learning rate."""
    condition = {"method": name, "learning_rate": rate, "replay": float(shares[1])}
    return value("forgetting", "accuracy", **condition)


frontier = says(
    "H-FRONTIER-1",
    supported="LoRA forgets less also where each method trains at the rate at which it forgets least.",
    refuted="If each method trains at the rate at which it forgets least, LoRA does not forget less by as much as we "
    "called relevant.",
    undecided="It is open whether LoRA forgets less if each method trains at the rate at which it forgets least.",
    also="There, LoRA minus full fine-tuning is {}.",
)
rank = says(
    "H-FORGET-2",
    supported="A smaller adapter forgets less, at equal accuracy.",
    refuted="A smaller adapter does not forget less. Under α/r a small rank comes with a large scale, so counting "
    "parameters says little about how far training moves the model.",
    undecided="It is open whether a smaller adapter forgets less.",
    also="The smaller minus the larger adapter is {}.",
)
always = says(
    "H-FORGET-3",
    supported="LoRA does not always forget less. At its usual rate it loses more than full fine-tuning at a low one. "
    "The rate is part of the method: a claim about LoRA without a rate is half a claim.",
    refuted="Even at its usual rate LoRA does not lose more than full fine-tuning at a low rate, by the margin we set.",
    undecided="It is open whether LoRA at its usual rate loses more than full fine-tuning at a low one.",
    also="LoRA minus full fine-tuning is {}. They have not learned equally much by then: "
    f"{learned(methods[-1], 5e-3)} against {learned('full', min(runs['learning_rate']))} of the new task.",
)
correlation = value(
    "forgetting", "loss_correlation", method=methods[-1], replay=0.0, tuned=["learning_rate"]
)
line = says(
    "H-FORGET-4",
    supported="Forgetting is close to linear in the loss during a run, here too.",
    refuted="Forgetting is not linear in the loss here. In this small model the old skills break in the first steps, "
    "when the new loss has hardly begun to fall.",
    undecided="It is open whether forgetting is linear in the loss.",
    also=f"The mean correlation of the two losses is {correlation} for LoRA of rank 32; a falling line would have −1.",
)
near = says(
    "H-FORGET-5",
    supported="The neighbour suffers most. Addition, the skill most like the new one, loses more than the far skills.",
    refuted="The neighbour does not suffer more than the far skills by as much as we said.",
    undecided="It is open whether the neighbour suffers most.",
    also="Its loss minus their mean loss is {}.",
)
little += (
    " On the new task, accuracy changes by "
    + "; ".join(f"{price(name)} for {name}" for name in methods)
    + "."
)
much = (
    says(
        "H-REPLAY-2",
        supported="One in five helps much more.",
        refuted="One in five adds less than we said to what one in twenty does.",
        undecided="It is open whether one in five helps much more than one in twenty.",
    )
    + f" In full fine-tuning, the largest share changes forgetting by {at_most['full']} compared with none."
)
cost = says(
    "H-REPLAY-3",
    supported="Replay is not free. In a run of fixed length, the new task pays for what the old ones keep.",
    refuted="Replay costs the new task less than we said, although it takes its share of the steps.",
    undecided="It is open whether replay costs the new task accuracy.",
    also="With the largest share, the accuracy of LoRA of rank 32 {moves}.",
)
Markdown(
    "\n".join(
        f"- {text}" for text in (equal, frontier, rank, always, line, near, little, much, cost)
    )
)

# %%
chosen = [
    f"{best('forgetting', 'learning_rate', method=name, replay=0.0)} for {name}" for name in methods
]
after = value("forgetting", "math_after", method="full", replay=most, tuned=["learning_rate"])
Markdown(
    f"Without replay the validation loss chooses the learning rates {', '.join(chosen)}. With the largest share of "
    f"replay, full fine-tuning ends with {after} of the sums right."
)

# %% [markdown]
# *What would change our mind:* the model is tiny and has little spare capacity, it learns the new task only to a target
# far from mastery, and after many epochs the base model sits at a sharp optimum for its skills. A larger model has more
# directions that no old skill needs (@eq-forgetting-taylor), and should forget less of distant skills. A run that
# continues until it masters the new task could change the order of the methods, and so could a learning rate between
# those we tried.
