# %% [markdown]
# # What this book is {.unnumbered}
#
# Which learning rate should I use? Which LoRA rank? What does the model forget along the way? This book answers such
# questions about training language models with experiments. We write down a hypothesis before we run anything. A script
# tests it and writes a table, and the book computes a verdict with an interval from that table. No result is typed by
# hand. Anyone with the repository can rerun everything, at small scale on a laptop or at full scale on a GPU, and the
# book updates itself.

# %%
# | label: fig-index-way
# | fig-cap: "How a claim gets into this book. People write the blue steps; the computer makes the grey ones."
# | fig-alt: "Six boxes in two rows joined by arrows: question, hypothesis and experiment are written by people; table, verdict and page are computed; a dashed arrow leads from the page back to the next question."
from matplotlib.patches import FancyBboxPatch

from llmlab.book import style

BY_PEOPLE = {
    "question": "in plain words",
    "hypothesis": "registered first",
    "experiment": "one short script",
}
BY_COMPUTER = {
    "page": "what was learned",
    "verdict": "effect and interval",
    "table": "a row for each run",
}

figure, axes = style.subplots(height=2.2)
for y, boxes, colour in ((1, BY_PEOPLE, style.BLUE), (0, BY_COMPUTER, style.MUTED)):
    for x, (name, note) in enumerate(boxes.items()):
        axes.add_patch(
            FancyBboxPatch(
                (x + 0.12, y + 0.2),
                0.76,
                0.56,
                boxstyle="round,pad=0,rounding_size=0.08",
                color=colour,
            )
        )
        axes.text(
            x + 0.5, y + 0.57, name, ha="center", va="center", color="white", weight="bold", size=11
        )
        axes.text(x + 0.5, y + 0.34, note, ha="center", va="center", color="white", size=8)
for start, end in (
    ((0.9, 1.48), (1.1, 1.48)),
    ((1.9, 1.48), (2.1, 1.48)),
    ((2.5, 1.17), (2.5, 0.79)),
    ((2.1, 0.48), (1.9, 0.48)),
    ((1.1, 0.48), (0.9, 0.48)),
):
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": style.INK})
axes.annotate(
    "",
    (0.5, 1.17),
    (0.5, 0.79),
    arrowprops={"arrowstyle": "-|>", "color": style.INK, "linestyle": "--"},
)
axes.set(xlim=(0, 3), ylim=(0.1, 1.85))
axes.axis("off")
figure

# %% [markdown]
# ## The labs

# %%
from llmlab.book.show import summary

summary()

# %% [markdown]
# @sec-progress shows how far each lab has come, feature by feature. The ledger (@sec-ledger) lists every verdict
# counted here, and the question log (@sec-questions) every question.
#
# ## Where to start
#
# - **Five minutes:** learn to read a value and a verdict in the [preface](preface.ipynb).
# - **Half an hour:** read the ideas behind the learning rate (@sec-learning-rate) and LoRA (@sec-lora), with short live
#   code, and then see what the experiments found (@sec-results-learning-rate, @sec-results-lora-rank).
# - **An evening:** build a GPT from scratch, from tokens (@sec-tokens) through attention (@sec-attention) to the
#   training loop (@sec-training-loop). Then read what it learned and wrote (@sec-results-pretraining), and look at its
#   attention heads (@sec-results-induction).
# - **An afternoon:** add an experiment of your own (@sec-adding-an-experiment).
#
# ## Rerun it all
#
# You need Python, GNU make and git. In a fresh clone,
#
# ```bash
# make
# ```
#
# reruns every experiment at smoke scale (seconds each, to prove that it works), compares the results with the recorded
# ones, executes every chapter and renders the book you are reading. To compute the evidence itself, run
#
# ```bash
# make results SCALE=laptop
# ```
