# %% [markdown]
# # LLM Lab Book {.unnumbered}
#
# How high a learning rate? Which LoRA rank? What is forgotten on the way? This book answers such questions about
# training language models by experiment. Each question becomes a hypothesis that is written down first, each
# hypothesis a script, each script a table, and each table a verdict with an interval. Nothing on the way is typed by
# hand, so whoever has the repository can rerun any of it, on a laptop at small scale or on a GPU at full scale, and
# the book changes by itself.

# %%
# | label: fig-index-way
# | fig-cap: "The way of every claim in this book. People write what is blue; the computer makes what is grey, again on every build."
# | fig-alt: "Six boxes in two rows joined by arrows: question, hypothesis and experiment are written by people; table, verdict and page are computed; a dashed arrow leads from the page back to the next question."
from llmlab.book import style

BOXES = {
    "question": (0, 1, style.BLUE, "in plain words"),
    "hypothesis": (1, 1, style.BLUE, "registered first"),
    "experiment": (2, 1, style.BLUE, "one short script"),
    "table": (2, 0, style.MUTED, "a row for each run"),
    "verdict": (1, 0, style.MUTED, "effect and interval"),
    "page": (0, 0, style.MUTED, "what was learned"),
}

figure, axes = style.subplots(height=2.4)
for name, (column, row, colour, note) in BOXES.items():
    axes.text(
        column,
        row,
        f"{name}\n",
        ha="center",
        va="center",
        color="white",
        weight="bold",
        size=11,
        bbox={"boxstyle": "round,pad=0.75", "facecolor": colour, "edgecolor": "none"},
    )
    axes.text(column, row - 0.14, note, ha="center", va="center", color="white", size=7.5)
ways = [
    (0.34, 1, 0.62, 1),
    (1.36, 1, 1.62, 1),
    (2, 0.66, 2, 0.34),
    (1.62, 0, 1.36, 0),
    (0.62, 0, 0.34, 0),
]
for x, y, to_x, to_y in ways:
    axes.annotate("", (to_x, to_y), (x, y), arrowprops={"arrowstyle": "-|>", "color": style.INK})
axes.annotate(
    "",
    (0, 0.66),
    (0, 0.34),
    arrowprops={"arrowstyle": "-|>", "color": style.MUTED, "linestyle": "--"},
)
axes.set(xlim=(-0.45, 2.45), ylim=(-0.5, 1.5))
axes.axis("off")
figure

# %% [markdown]
# ## The labs

# %%
from llmlab.book.show import summary

summary()

# %% [markdown]
# The first lab is under way; the others are planned, and @sec-progress says how far each of them is. Every
# verdict counted here stands in the ledger (@sec-ledger), every question in the question log (@sec-questions).
#
# ## Where to begin
#
# - **Five minutes:** how to read a value and a verdict, in the [preface](preface.ipynb).
# - **Half an hour:** the idea of the learning rate (@sec-learning-rate) and of LoRA (@sec-lora), each with code that
#   runs while you read, and what the experiments made of them (@sec-results-learning-rate,
#   @sec-results-lora-rank).
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
