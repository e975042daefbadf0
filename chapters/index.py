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
# ## Ten findings
#
# Each sentence follows from the verdict on a registered hypothesis, which its badge shows: *Refuted* means that the
# hypothesis claimed the opposite. It holds for what was tested.

# %%
from IPython.display import Markdown

from llmlab.book.show import finding, summary

findings = [
    finding(
        "H-FULL-6",
        supported="At their own best learning rates, LoRA of rank 8 learns a new skill as well as full fine-tuning.",
        refuted="Even at its own best learning rate, LoRA of rank 8 does not learn a new skill as well as full fine-tuning.",
        undecided="It is open whether LoRA of rank 8 learns a new skill as well as full fine-tuning.",
    ),
    finding(
        "H-LR-4",
        supported="LoRA on a small model learns best at rates far above those that large models are given.",
        refuted="LoRA on a small model does not learn best at the rates that we expected.",
        undecided="It is open at which rate LoRA on a small model learns best.",
    ),
    finding(
        "H-FORGET-1",
        supported="Where each trains at the rate at which it learns best, LoRA forgets less than full fine-tuning at equal accuracy.",
        refuted="At equal accuracy LoRA does not forget less than full fine-tuning.",
        undecided="It is open whether LoRA forgets less than full fine-tuning at equal accuracy.",
    ),
    finding(
        "H-REPLAY-1",
        supported="One old example in twenty is enough to forget much less.",
        refuted="One old example in twenty does not help enough against forgetting.",
        undecided="It is open how much one old example in twenty helps against forgetting.",
    ),
    finding(
        "H-REAL-3",
        supported="A real pretrained model also forgets more of ordinary text the higher the learning rate.",
        refuted="A real pretrained model does not forget more of ordinary text at higher learning rates.",
        undecided="It is open whether a real pretrained model forgets more of ordinary text at higher learning rates.",
    ),
    finding(
        "H-PRE-1",
        supported="A GPT written from scratch in this repository reaches the loss of nanoGPT's small run.",
        refuted="The GPT of this repository does not reach the loss of nanoGPT's small run.",
        undecided="It is open whether the GPT of this repository reaches the loss of nanoGPT's small run.",
    ),
    finding(
        "H-SLEEP-1",
        supported="A night of LoRA on the day's episodes makes a small coder better.",
        refuted="A night of LoRA on all of the day's episodes does not make a small coder better.",
        undecided="It is open whether a night of LoRA on the day's episodes makes a small coder better.",
    ),
    finding(
        "H-ROUTING-2",
        supported="Choosing among a coder's adapters beats averaging them.",
        refuted="Choosing among a coder's adapters does not beat averaging them.",
        undecided="It is open whether choosing among a coder's adapters beats averaging them.",
    ),
    finding(
        "H-KNOWN-2",
        supported="On a market made to hold a strong signal, a small transformer finds most of it.",
        refuted="On a market made to hold a strong signal, a small transformer finds less than half of it.",
        undecided="It is open how much of a strong signal a small transformer finds on a market made to hold it.",
    ),
    finding(
        "H-PREDICT-1",
        supported="The step time of a large run can be predicted to within a tenth before anybody pays for it.",
        refuted="The step time of a large run cannot be predicted to within a tenth.",
        undecided="It is open whether the step time of a large run can be predicted to within a tenth.",
    ),
]
Markdown("\n".join(findings))

# %% [markdown]
# ## The labs

# %%
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
