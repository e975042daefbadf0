# %% [markdown]
# # From red to green: a koan's life {#sec-episodes}
#
# A koan is a small broken program with cases that say what it should return. A model sees the program, with numbered
# lines, and what the compiler or the interpreter says. It answers with lines to replace. The edit is applied, and the
# program runs in a sandbox. Green ends the episode. Red leads to another turn, with the new message, or to the end.
# @fig-episodes-loop shows the way.

# %%
# | label: fig-episodes-loop
# | fig-cap: "One episode. Each way around the loop is a turn; the number of turns is limited."
# | fig-alt: "Four boxes in a row: red program and message, model, edit, sandbox. From the sandbox one arrow leads to a green box, another back to the first."
from llmlab.book import style

figure, axes = style.subplots(height=1.9)
BOXES = {
    "red program,\nmessage": (0.0, style.VERMILION),
    "model": (2.3, style.INK),
    "edit": (4.1, style.INK),
    "sandbox": (6.1, style.INK),
    "green": (8.3, style.GREEN),
}
for text, (x, colour) in BOXES.items():
    frame = {"boxstyle": "round,pad=0.5", "edgecolor": colour, "facecolor": "white"}
    axes.text(x, 1, text, ha="center", va="center", fontsize=9, bbox=frame)
ARROW = {"arrowstyle": "->", "color": style.MUTED}
for start, end in ((0.95, 1.75), (2.85, 3.65), (4.55, 5.4), (6.8, 7.75)):
    axes.annotate("", (end, 1), (start, 1), arrowprops=ARROW)
back = ARROW | {"connectionstyle": "arc3,rad=-0.25"}
axes.annotate("", (0.2, 0.5), (6.1, 0.65), arrowprops=back)
axes.text(3.1, -0.5, "still red, turns left", ha="center", fontsize=9)
axes.set(xlim=(-1, 9), ylim=(-0.7, 1.6))
axes.axis("off")
figure

# %% [markdown]
# An edit names whole lines by their number and is checked before anything changes:

# %%
# | echo: true
from llmlab.sleep.koans.koan import choose_koans
from llmlab.sleep.repair.edits import difference, read_edit, shown

(koan,) = choose_koans("moved_in_a_loop")
edit = difference(koan.start, koan.solution)
print(shown(koan.start), "\n\nThe edit:", edit.text(), sep="\n")
assert read_edit(edit.text()).apply(koan.start) == koan.solution

# %% [markdown]
# Asking for a whole program invites a model to change what was right. An edit leaves all other lines as they are.
#
# ## What is kept
#
# Each koan that was tried becomes one line of a file: its start and why it was red, every answer with its outcome, tokens,
# seconds, and the level of the sandbox that its code ran in. An answer that is not an edit counts as a failed turn, and
# the model is told why. A server that is down, cuts its stream or answers with a web page is a failure with a reason,
# never a crash. Each line is on the disk once it is appended; a line cut short by a crash is skipped.
#
# ## How many koans it takes
#
# Suppose that two models differ on one koan in ten: one repairs it, the other does not. Only these koans compare the two
# models (McNemar's exact test). How large must the difference of their pass rates be to be found four times in five?

# %%
# | label: tbl-episodes-power
# | tbl-cap: "Smallest difference of two pass rates that McNemar's exact test finds with 80 % power at the 5 % level, if one koan in ten is green for one model only."
import numpy as np
from IPython.display import Markdown
from scipy.optimize import brentq
from scipy.stats import binom

from llmlab.book.markup import pipe_table

DISCORDANT = 0.1  # the largest difference that there can be


def power(difference: float, koans: int) -> float:
    """How often the test finds a difference of pass rates."""
    differing = np.arange(koans + 1)
    least = binom.ppf(0.025, differing, 0.5) - 1  # so few wins of the worse model are significant
    wins = (1 - difference / DISCORDANT) / 2
    found = binom.cdf(least, differing, wins) + binom.cdf(least, differing, 1 - wins)
    return binom.pmf(differing, koans, DISCORDANT) @ found


def smallest_difference(koans: int) -> str:
    if power(DISCORDANT, koans) < 0.8:
        return "none"
    return f"{100 * brentq(lambda size: power(size, koans) - 0.8, 0, DISCORDANT):.1f}"


sizes = (30, 100, 300, 1000, 2000)
Markdown(
    pipe_table(
        ["Koans", "Difference (points)"],
        [[f"{koans:,}", smallest_difference(koans)] for koans in sizes],
        numeric=(0, 1),
    )
)

# %% [markdown]
# With thirty koans there is none. About three of them tell the models apart, and the test needs six, all won by the same
# model.
#
# The lab's predecessor had thirty. Its methods lay between [60]{.setting} and [73]{.setting} %, four koans apart. Even if
# the worse method won none of them back, $p = 2 \cdot (\tfrac12)^4 = \tfrac18$. So none of its differences is evidence,
# even if the koans themselves had been sound (@sec-koans). The exams here hold only templates that no lesson has.
#
# ## A coder of your own
#
# The loop takes any model. One of `transformers` is named by its id or its folder, one behind Ollama or any
# OpenAI-compatible server by its address:
#
# ```bash
# llmlab sleep run --generated 1000 --language python \
#   --base hf:Qwen/Qwen2.5-Coder-1.5B-Instruct --out runs/qwen.jsonl
# llmlab sleep run --turns 3 --base http://localhost:11434/v1 \
#   --model qwen2.5-coder:1.5b --out runs/turns.jsonl
# llmlab sleep run --hints --base http://localhost:11434/v1 \
#   --model qwen2.5-coder:1.5b --out runs/hints.jsonl
# llmlab sleep evaluate runs/qwen.jsonl
# ```
#
# The second and the third try the handwritten koans in Rust. `llmlab sleep compare` sets two such files side by side. Nights
# train the book's own small coder alone.
#
# No result of this book is from such a model. The predecessor ran Qwen2.5-Coder-1.5B on its thirty koans:
# [73.3]{.setting} % were green without a night, and no night came out above that (@tbl-sleep-methods-predecessor). With
# advice in the prompt it was [80]{.setting} to [87]{.setting} %. Thirty koans leave all of this open.
#
# ## What the book tests
#
# The coder of @sec-results-sleep-base, its nights in @sec-results-sleep-methods and @sec-results-sleep-replay, and asking
# again instead, in @sec-results-sleep-prompting. @sec-results-sleep-cycles replays episodes step by step.
