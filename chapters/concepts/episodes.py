# %% [markdown]
# # From red to green: a koan's life {#sec-episodes}
#
# A koan is a small broken program with cases that say what it should return. A model sees the program, with numbered
# lines, and what the compiler or the interpreter says. It answers with lines to replace. The edit is applied and judged
# by running it, in a sandbox. Green ends the episode. Red leads to another turn, with the new message, or to the end.
#
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
# Asking for whole programs invites a model to change what was right; asking for lines works better.
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
# If two models differ on one koan in ten, these koans alone compare them (McNemar's exact test). How large must a
# difference be to be seen four times in five?

# %%
# | label: tbl-episodes-power
# | tbl-cap: "Smallest difference of two pass rates that a paired comparison sees with 80 % power at the 5 % level, where one koan in ten is green for one model only (normal approximation)."
from IPython.display import Markdown
from scipy.stats import norm

from llmlab.book.markup import pipe_table

DISCORDANT = 0.1
z = norm.ppf(0.975) + norm.ppf(0.8)
sizes = (30, 100, 300, 1000, 2000)
Markdown(
    pipe_table(
        ["Koans", "Difference (points)"],
        [[f"{n:,}", f"{100 * z * (DISCORDANT / n) ** 0.5:.1f}"] for n in sizes],
        numeric=(0, 1),
    )
)

# %% [markdown]
# The lab's predecessor had thirty. Its methods lay between [60]{.setting} and [73]{.setting} %, so none of its differences
# is evidence of anything, even if the koans themselves had been sound (@sec-koans). The exams here hold only templates
# that no lesson has.
#
# ## What the book tests
#
# The coder of @sec-results-sleep-base, its nights in @sec-results-sleep-methods and @sec-results-sleep-replay, and asking
# again instead, in @sec-results-sleep-prompting. @sec-results-sleep-cycles replays episodes step by step.
