# %% [markdown]
# # What this is {.unnumbered}
#
# How high a learning rate? Which LoRA rank? What is forgotten on the way? This book answers such questions about
# training language models by experiment. Each question becomes a hypothesis that is written down first, each
# hypothesis a script, each script a table, and each table a verdict with an interval. No result on the way is typed
# by hand, so whoever has the repository can rerun any of it, on a laptop at small scale or on a GPU at full scale, and
# the book changes by itself.

# %%
# | label: fig-index-way
# | fig-cap: "The way of every claim in this book. People write what is blue; the computer makes what is grey."
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
# How far each lab is, feature by feature, says @sec-progress. Every verdict counted here stands in the ledger
# (@sec-ledger), every question in the question log (@sec-questions).
#
# ## Where to begin
#
# - **Five minutes:** how to read a value and a verdict, in the [preface](preface.ipynb).
# - **Half an hour:** the idea of the learning rate (@sec-learning-rate) and of LoRA (@sec-lora), each with code that
#   runs while you read, and what the experiments made of them (@sec-results-learning-rate,
#   @sec-results-lora-rank).
# - **An evening:** a GPT from scratch, from tokens (@sec-tokens) to attention (@sec-attention) and the training loop
#   (@sec-training-loop); then what it learned and wrote (@sec-results-pretraining), and a look at its heads
#   (@sec-results-induction).
# - **An afternoon:** add an experiment of your own (@sec-adding-an-experiment).
#
# ## Rerun it all
#
# A machine with Python, GNU make and git is enough. From a fresh clone,
#
# ```bash
# make
# ```
#
# reruns every experiment at smoke scale, compares the result with what is recorded, executes every chapter and
# renders the book you are reading. To compute the evidence itself:
#
# ```bash
# make results SCALE=laptop
# ```
