# %% [markdown]
# # Forgetting, and how replay helps {#sec-forgetting}
#
# A model that learns something new moves away from where it was. The loss of the new task pulls it, and nothing holds
# it back: the old tasks no longer have a say. @fig-forgetting-valleys shows this in a model of two weights. The old and
# the new task each have a valley. If we mix some old items into the training data, the old task pulls again. That is
# **replay**.

# %%
# | label: fig-forgetting-valleys
# | fig-cap: "Two valleys in a model of two weights. Training starts at the floor of the old task's valley (square) and follows the new task's gradient, mixed with a share of the old one's. The old valley has steep sides and a flat floor; a little replay keeps the path on that floor."
# | fig-alt: "Contours of a narrow upright valley of the old task on the left and of a wide valley of the new task on the upper right. Without replay the path ends in the new valley, far up the steep side of the old one; with a twentieth and a fifth of replay it ends higher up inside the old valley."
# | echo: true
import numpy as np

from llmlab.book import style

OLD, NEW = np.array([0.0, 0.0]), np.array([2.0, 1.5])  # floors of the valleys
STEEP_OLD, STEEP_NEW = np.array([10.0, 0.1]), np.array([0.3, 1.0])


def height(place: np.ndarray, floor: np.ndarray, steep: np.ndarray) -> np.ndarray:
    """Loss at places [..., 2]."""
    return 0.5 * (steep * (place - floor) ** 2).sum(-1)


def walk(share: float, steps: int = 400, learning_rate: float = 0.05) -> np.ndarray:
    """Places [steps + 1, 2] of gradient descent with this share of replay."""
    places = [OLD]
    for _ in range(steps):
        here = places[-1]
        pull = (1 - share) * STEEP_NEW * (here - NEW) + share * STEEP_OLD * (here - OLD)
        places.append(here - learning_rate * pull)
    return np.array(places)


grid = np.stack(np.meshgrid(np.linspace(-1, 2.6, 120), np.linspace(-0.6, 2.2, 120)), axis=-1)
figure, axes = style.subplots(height=3.6)
for floor, steep, colour in ((OLD, STEEP_OLD, style.MUTED), (NEW, STEEP_NEW, style.SKY)):
    lines = axes.contour(*grid.T, height(grid, floor, steep).T, levels=[0.02, 0.1, 0.3, 0.7, 1.5])
    lines.set(edgecolor=colour, linewidth=0.8)
for share, colour, marker in zip((0, 0.05, 0.2), style.CYCLE, style.MARKERS, strict=False):
    path = walk(share)
    axes.plot(*path.T, color=colour)
    axes.plot(*path[-1], marker, color=colour, markersize=8, label=f"{100 * share:.0f} % replay")
axes.plot(*OLD, "s", color=style.INK)
axes.text(-0.9, 1.9, "old task", color=style.MUTED)
axes.text(2.0, 0.55, "new task", color=style.BLUE, ha="center")
axes.set(xlabel="one weight", ylabel="another weight", aspect="equal")
axes.grid(visible=False)
axes.legend(loc="lower right")
figure

# %% [markdown]
# The path without replay ends where the new loss is lowest, whatever that costs the old task. A twentieth of replay is
# enough to bend it. Where the old valley is steep, the old task pulls hard, although it has only a small share; where
# it is flat, it lets the model go. So replay is cheap as long as the two tasks care about different directions. In a
# model with a million weights there should be many of those.
#
# @mccloskey1989catastrophic first described this *catastrophic forgetting* in neural networks, and replaying old items
# is nearly as old a remedy [@robins1995rehearsal].
#
# ## A real model forgets
#
# We teach a tiny GPT to reverse four letters (`reverse:abcd=` → `dcba`) until it can do this with words it has never
# seen. Then it has to learn to rotate them (`rotate:abcd=` → `bcda`). The prompts tell the tasks apart, so one model
# could do both.

# %%
# | echo: true
# | code-fold: show
# | code-summary: "One model, then three copies that learn the new task with different shares of replay"
import copy
import itertools
import random

import torch
from IPython.display import Markdown

from llmlab.finetune.tasks.batches import encode, epochs
from llmlab.finetune.tasks.skills import TOKENIZER, Item
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.training import Evaluation, TrainConfig, Trainer, evaluate, train

torch.set_num_threads(1)  # the same numbers on every run
torch.manual_seed(0)
TASKS = {
    "reverse": lambda word: word[::-1],
    "rotate": lambda word: word[1:] + word[0],
    "double": lambda word: word[:2] * 2,
}
words = ["".join(letters) for letters in itertools.product("abcde", repeat=4)]
random.Random(0).shuffle(words)
learned, tested = words[:400], words[400:]


def items(task: str, chosen: list[str]) -> list[Item]:
    return [Item(f"{task}:{word}=", TASKS[task](word)) for word in chosen]


def grade(model: GPT, task: str) -> Evaluation:
    """On words that no task was trained on."""
    sequences = encode(items(task, tested))
    return evaluate(model, sequences.tokens_NT, sequences.targets_NT)


def learn(model: GPT, training: list[Item], steps: int, look_every: int) -> list[tuple]:
    """Train in place; (step, accuracy of reversing, accuracy of rotating) at every look."""
    trainer = Trainer(model, TrainConfig(learning_rate=1e-3, steps=steps))
    looks = [(0, grade(model, "reverse").accuracy, grade(model, "rotate").accuracy)]
    for point in trainer.points(epochs(encode(training), 32, seed=1)):
        if (point.step + 1) % look_every == 0:
            accuracies = (grade(model, task).accuracy for task in ("reverse", "rotate"))
            looks.append((point.step + 1, *accuracies))
    return looks


base = GPT(GPTConfig(TOKENIZER.vocab_size, context=20, d_model=64, n_layers=2, n_heads=4))
train(
    base,
    epochs(encode(items("reverse", learned)), 32, seed=0),
    TrainConfig(learning_rate=3e-3, steps=200),
)

models, followed = {}, {}
for share in (0, 0.05, 0.2):
    n_old = round(len(learned) * share / (1 - share))
    training = items("rotate", learned) + items("reverse", learned[:n_old])
    models[share] = copy.deepcopy(base)
    followed[share] = learn(models[share], training, steps=100, look_every=10)

# %%
# | label: fig-forgetting-live
# | fig-cap: "Accuracy on the old task (reversing, left) while the model learns the new one (rotating, right), on held-out words, with three shares of old items among the training items. Live demonstration, one run each."
# | fig-alt: "Left panel: without replay accuracy on the old task falls from all to none within a few steps and stays there; with replay it dips and comes back. Right panel: accuracy on the new task rises under every share."
figure, panels = style.subplots(1, 2, height=2.8, sharey=True)
for share, colour, dashes in zip(followed, style.CYCLE, ("-", "--", "-."), strict=False):
    steps, old, new = np.array(followed[share]).T
    panels[0].plot(steps, 100 * old, dashes, color=colour)
    panels[1].plot(steps, 100 * new, dashes, color=colour, label=f"{100 * share:.0f} % replay")
panels[0].set(title="old task", xlabel="step", ylabel="right answers (%)", ylim=(-3, 103))
panels[1].set(title="new task", xlabel="step")
panels[1].legend()
figure

# %%
worst = min(followed[0], key=lambda look: look[1])
lowest = {share: min(old for _, old, _ in looks) for share, looks in followed.items()}
Markdown(
    f"Without replay the model gets {100 * worst[1]:.0f} % of the old items right after {worst[0]} steps, and "
    f"{100 * worst[2]:.0f} % of the new ones. Forgetting comes first, learning later. With a fifth of replay the "
    f"old task falls to {100 * lowest[0.2]:.0f} % on the way and ends at {100 * followed[0.2][-1][1]:.0f} %. The model "
    "relearns what it lost, and it is tested on words that are not among the replayed items."
)

# %% [markdown]
# ## Flat ground, then a cliff
#
# Why so suddenly? Let the weights move by a small step $\Delta$. The old loss changes by
#
# $$ L_\text{old}(w + \Delta) - L_\text{old}(w) \;\approx\; g_\text{old} \cdot \Delta \;+\; \tfrac12 \,
# \Delta^\top H_\text{old} \Delta , $$ {#eq-forgetting-taylor}
#
# where $g_\text{old}$ is the old task's gradient and $H_\text{old}$ its curvature (the Hessian). A model that has learned
# the old task well is at the floor of its valley, where both are almost zero: it is so sure of its answers that no small
# step makes one wrong. But @eq-forgetting-taylor holds only nearby. @fig-forgetting-distance walks further from the tiny
# model, in two directions: against the new task's gradient, and in a random direction.

# %%
# | label: fig-forgetting-distance
# | fig-cap: "How much the old task's loss rises when the weights of the tiny model move a given distance against the gradient of the new task, or in a random direction. Both axes are logarithmic, so growth with the square of the distance is parallel to the dashed line."
# | fig-alt: "Two rising lines on logarithmic axes. The random one stays near the bottom. The one against the new task's gradient runs above it, then rises by several powers of ten within a short distance, far more steeply than the dashed line, and levels off at the top."
# | echo: true
parameters = list(base.parameters())
old_task, new_task = encode(items("reverse", tested)), encode(items("rotate", tested))


def loss(sequences) -> torch.Tensor:
    from llmlab.gpt.model import next_token_loss

    return next_token_loss(base(sequences.tokens_NT), sequences.targets_NT)


def unit(direction: list[torch.Tensor]) -> list[torch.Tensor]:
    length = torch.sqrt(sum(part.square().sum() for part in direction))
    return [part / length for part in direction]


def rise(direction: list[torch.Tensor], distance: float) -> float:
    """What a step of this length adds to the old loss; the weights come back afterwards."""
    with torch.no_grad():
        before = loss(old_task)
        for parameter, part in zip(parameters, direction, strict=True):
            parameter.add_(distance * part)
        after = loss(old_task)
        for parameter, part in zip(parameters, direction, strict=True):
            parameter.sub_(distance * part)
    return (after - before).item()


downhill = unit([-part for part in torch.autograd.grad(loss(new_task), parameters)])
generator = torch.Generator().manual_seed(0)
anywhere = unit([torch.randn(part.shape, generator=generator) for part in parameters])
distances = np.geomspace(0.05, 5, 13)
figure, axes = style.subplots(height=3)
rises = {
    "against the new task's gradient": [rise(downhill, distance) for distance in distances],
    "in a random direction": [rise(anywhere, distance) for distance in distances],
}
for (name, values), marker in zip(rises.items(), style.MARKERS, strict=False):
    axes.plot(distances, values, marker=marker, label=name)
quadratic = rises["against the new task's gradient"][3] * (distances / distances[3]) ** 2
axes.plot(distances, quadratic, "--", color=style.MUTED, linewidth=1)
axes.set(xscale="log", yscale="log", xlabel="distance moved", ylabel="rise in the old loss")
axes.set_ylim(1e-6, 1e4)  # leaves room for the legend
axes.legend(loc="upper left")
figure

# %%
far = distances.searchsorted(0.45)
hurt, harmless = (values[far] for values in rises.values())
Markdown(
    f"A step of length {distances[far]:.1f} against the new task's gradient adds {hurt:.1f} nats to the old loss. A step of the "
    f"same length in a random direction adds {harmless:.6f}, and even one of length {distances[-1]:.0f} only "
    f"{rises['in a random direction'][-1]:.4f}."
)

# %% [markdown]
# So two things make fine-tuning forget. The *direction* is bad: both tasks use the same weights, and the new task needs
# to change them exactly where the old one is sensitive. And the *distance* acts like a cliff, not a slope: up to a
# point nothing seems to happen; a little further everything is gone. The first steps on a new task, when the model is
# most wrong about it, are enough to get there (@fig-forgetting-live).
#
# Three hopes follow, and we can test each. A method that moves the weights *less far* should forget less: a low
# learning rate does, and a small adapter may. A method that moves them in *few directions*, as LoRA does (@sec-lora),
# helps if these are the right ones. And replay restores $g_\text{old}$ as soon as the model leaves the floor.
#
# ## The accuracy matrix
#
# With several tasks in a row, we test the model on all tasks after each of them. Entry $R_{ij}$ of the matrix is the
# accuracy on task $j$ after learning task $i$ [@lopezpaz2017gem].

# %%
# | label: tbl-forgetting-matrix
# | tbl-cap: "Accuracy matrix of the tiny model that learns three tasks one after another without replay. Rows in the order of training; live demonstration, one run."
# | echo: true
from llmlab.book.markup import pipe_table

stages = {"reverse": base, "rotate": models[0]}
stages["double"] = copy.deepcopy(models[0])
learn(stages["double"], items("double", learned), steps=100, look_every=100)
matrix = np.array([[grade(model, task).accuracy for task in TASKS] for model in stages.values()])
Markdown(
    pipe_table(
        ["after learning", *TASKS],
        [
            [task, *(f"{100 * share:.0f} %" for share in row)]
            for task, row in zip(stages, matrix, strict=True)
        ],
        numeric=[1, 2, 3],
    )
)

# %% [markdown]
# Three numbers summarise the matrix, for $T$ tasks:
#
# - **Average accuracy** is the mean of the last row.
# - **Backward transfer**, $\text{BWT} = \frac{1}{T-1} \sum_{j<T} (R_{Tj} - R_{jj})$, is how much the old tasks have
#   changed since they were learned. Negative means forgetting.
# - **Plasticity** is how well the model learns each new task when its turn comes: the diagonal, compared with the
#   accuracy before.
#
# Always report the last two *together*. A model that learns nothing forgets nothing.

# %%
backward = np.mean([matrix[-1, task] - matrix[task, task] for task in range(2)])
gained = np.mean([matrix[task, task] - matrix[task - 1, task] for task in (1, 2)])
Markdown(
    f"Here the average accuracy is {100 * matrix[-1].mean():.0f} %, backward transfer is "
    f"{100 * backward:+.0f} points and the new tasks gained {100 * gained:.0f} points on average: a model with great plasticity "
    "and no memory.".replace("-", "−")
)

# %% [markdown]
# ## How sure are we?
#
# The old and the new model answer the *same* items, so we compare their answers item by item. Only items whose answer
# changed carry information: those that were right and are now wrong, and the reverse. McNemar's test [@mcnemar1947note]
# checks whether one kind is more frequent than a fair coin would make it, and the same counts give an interval for the
# change [@agresti2005matched]. The lab's report does this for every suite and every level of difficulty, and corrects
# its p values for the number of tests.

# %%
# | label: tbl-forgetting-report
# | tbl-cap: "What the tiny model lost and gained with a twentieth of replay: 95 % confidence intervals, exact McNemar test, Holm correction. Level 1: words of four different letters. Level 2: words with a repeated letter."
# | echo: true
from dataclasses import replace

from llmlab.finetune.study.forgetting import report


def levelled(task: str) -> list[Item]:
    """The tested items, at level 2 where a letter of the word repeats."""
    return [
        replace(item, level=1 + (len(set(word)) < 4))
        for item, word in zip(items(task, tested), tested, strict=True)
    ]


found = report(
    before={task: grade(base, task) for task in ("reverse", "rotate")},
    after={task: grade(models[0.05], task) for task in ("reverse", "rotate")},
    items={task: levelled(task) for task in ("reverse", "rotate")},
    new="rotate",
)
Markdown(
    pipe_table(
        ["task", "level", "items", "before", "after", "change in points", "p"],
        [
            [
                row.suite,
                str(row.level or "all"),
                str(row.change.n),
                f"{100 * row.before.value:.0f} %",
                f"{100 * row.after.value:.0f} %",
                f"{100 * row.change.value:+.1f} ({100 * row.change.low:+.1f} to {100 * row.change.high:+.1f})".replace(
                    "-", "−"
                ),
                f"{row.p_value:.2g}",
            ]
            for row in found.rows
        ],
        numeric=[2, 3, 4, 5, 6],
    )
)

# %% [markdown]
# These intervals say how sure we are about *this* pair of models. They do not say what another seed would have given.
# So where the book compares methods, it repeats the whole run with several seeds, pairs the runs by seed, and takes the
# interval over seeds.
#
# ## A fair comparison
#
# "LoRA learns less and forgets less", @biderman2024lora found in large models. But a model that learns less has less
# reason to forget. @kalajdzievski2024forgetting even found that forgetting is a straight line in the fine-tuning loss.
# So a fair comparison measures what each method has forgotten *when it has learned equally much*: we grade the models
# during training and read off the forgetting when the accuracy on the new task reaches a fixed mark.
#
# Other remedies add a force that holds the weights back where the old task is curved [@kirkpatrick2017ewc]; this turns
# @eq-forgetting-taylor into a penalty.
#
# ## What the book tests

# %%
from llmlab.book.show import badge

Markdown(
    "\n".join(
        (
            f"- Does LoRA forget less once both have learned equally well? {badge('H-FORGET-1')} Also if each trains "
            f"at the rate at which it forgets least? {badge('H-FRONTIER-1')} Can it forget more at another rate? "
            f"{badge('H-FORGET-3')} @sec-results-forgetting",
            f"- Is forgetting a straight line in the loss? {badge('H-FORGET-4')} @sec-results-forgetting",
            f"- How much does a twentieth of replay help, and at what cost? {badge('H-REPLAY-1')} "
            f"{badge('H-REPLAY-3')} @sec-results-forgetting",
        )
    )
)
