# %% [markdown]
# # Koans {#sec-koans}
#
# A koan is a small program with one bug, cases that say what it should return, and one repair that is known to work. It
# is *red* for a recorded reason, and *green* once repaired. Forty-two were written by hand, in Rust. Thousands come from
# a grammar, in Rust and in Python, so that a difference of a few points can be seen at all. @fig-koans-split shows how
# its templates are split.

# %%
# | label: fig-koans-split
# | fig-cap: "Every template of the Python grammar: a row for each family, a column for each bug in each place where it can stand. Blue: for lessons; orange: for validation; vermilion: for the exam. No template is in two parts."
# | fig-alt: "A grid of squares, twelve rows, coloured at random in blue, orange and vermilion, most of them blue."
# | echo: true
from matplotlib.colors import ListedColormap

from llmlab.book import style
from llmlab.sleep.koans.generated import GRAMMARS, SHARES, split_templates
from llmlab.sleep.koans.grammar import templates

python = GRAMMARS["python"]
part_of = {
    template.name: part
    for part, split in enumerate(SHARES)
    for template in split_templates("python")[split]
}
grid = [
    [part_of[found.name] for found in templates(python) if found.family == family]
    for family in python.families
]
figure, axes = style.subplots(height=3.2)
axes.pcolormesh(
    grid,
    cmap=ListedColormap([style.BLUE, style.ORANGE, style.VERMILION]),
    edgecolors="white",
    linewidth=0.5,
)
axes.set_yticks([row + 0.5 for row in range(len(grid))], list(python.families))
axes.set(xlabel="template", xticks=[])
axes.invert_yaxis()
axes.grid(visible=False)
figure

# %% [markdown]
# ## A bug, a place, and names
#
# With $F$ families, $C$ bugs in each and $P$ places where a bug can stand (straight in a function, in a loop, in a
# branch, …) there are
#
# $$ F \cdot C \cdot P $$ {#eq-koans}
#
# templates. One text holds a bug and its repair, the broken form before the bar and the repaired one after it. A draft
# fills in names, numbers and lines that do nothing:

# %%
# | echo: true
import random

from llmlab.sleep.koans.grammar import draft

template = next(found for found in templates(python) if found.name == "aliases-0-loop")
found = draft(template, python, random.Random(3))
print(template.text, "One start:", found.start, "Its repair:", found.solution, sep="\n")

# %% [markdown]
# ## What makes a koan valid
#
# Nothing is taken on trust. Before a generated koan counts, the real compiler or interpreter has to find that
#
# - its start is red, for the very reason that its bug declares;
# - its repair runs and returns a value for every case: these are the values that an answer must return;
# - no other koan of the run has the same structure, as long as there are unused structures.
#
# An answer is judged by running it. Any edit that makes all cases right is green, whether or not it is the known repair.
# What a case expects never enters the sandbox, so no program passes by printing the right word or by exiting early
# (@sec-sandboxes).
#
# ## Why not thirty
#
# The lab's predecessor had forty-two koans, judged by whether they compile. Its own files show the result. Thirteen of the
# forty-two reference repairs do not compile, nine of them in the exam of thirty; these nine have no `main`. One koan
# compiles before any repair. Twenty-five of the thirty exam koans are in the training data, word for word. Two of those
# that "no approach ever fixed" cannot be fixed by their own reference. A check of a few seconds would have found all
# this, so the check came first here:

# %%
# | echo: true
from llmlab.sleep.koans.generated import generate

koans = generate("python", "test", 24, seed=1)
print(len(koans), "koans, each red for its reason and green once repaired:")
print(*(f"{koan.name} ({koan.error})" for koan in koans[:6]), "…", sep="\n")

# %% [markdown]
# ## What the book tests
#
# - Can a small model learn to repair templates that it never saw? @sec-results-sleep-base
# - How many koans does it take to see a difference? @sec-episodes
