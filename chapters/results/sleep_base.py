# %% [markdown]
# # A small coder {#sec-results-sleep-base}

# %%
from llmlab.book.show import answer, command, curves, method, note, value

answer(
    f"With {value('sleep_base', 'parameters')}, a small coder turns {value('sleep_base', 'pass_rate')} of the "
    f"koans of unseen templates green with one answer, {value('sleep_base', 'taught_rate')} in the families that it was "
    f"taught and {value('sleep_base', 'new_rate')} in those held out."
)

# %% [markdown]
# ## The question
#
# A night needs a model that had a day: one that repairs most of what it meets, but not all. A real coder model of a
# billion parameters needs a GPU. Can a model small enough to train on a laptop repair programs at all?

# %%
note("sleep_base")

# %% [markdown]
# ## Method
#
# The coder reads a numbered program, the kind of its error, its line, and the facts of the message: the names that it
# quotes, and the value that a test got and the one that it wanted. It answers with the number of a line, the span of it
# to replace, and what takes its place; a small model copies badly, so it copies no more than that. Its vocabulary is that
# of the grammar. Names do not affect a bug, so they are read by their place: the first variable of a program is one
# token, whatever it is called, and the coder's output is translated back. Positions are rotary [@su2021rope], since
# copying is relative. Only the tokens of the answer are trained on, and when it answers, only tokens that an edit of this
# program can go on with are drawn [@willard2023guided, section 3]: a number of one of its lines, a span of that line.
# Three of the twelve families are held out whole, and
# the exam holds only templates that are not in the lessons. The real interpreter judges: any edit that makes the program
# green counts, not only the reference.

# %%
# | label: tbl-sleep-base-method
# | tbl-cap: "Conditions and budget."
method("sleep_base")

# %% [markdown]
# This command makes the table:

# %%
command("sleep_base")

# %%
# | label: fig-sleep-base-loss
# | fig-cap: "Training loss of the small coder, over the tokens of its answers."
# | fig-alt: "A falling curve of the loss over training steps."
curves("sleep_base", "loss", log_y=True)

# %% [markdown]
# ## Take it along
#
# `llmlab sleep export micro` writes this coder, or one that a night has changed, as a file that llama.cpp and Ollama
# load; a test asks llama.cpp a question and compares its answer with the logits of the model here. The coder uses its own
# tokens there, too: the export puts a question in these tokens beside the file. llama.cpp draws from all tokens, so its
# answer may be no edit of the program.
#
# ## Learnings
#
# There is one coder, trained on generated Python alone, and so no interval over seeds: all that follows starts from this
# very model. A template is a bug in a place, so an unseen template is mostly a known bug in another place. Only a
# held-out family is new.
#
# The families held out bound the exam: a coder that repaired every bug that it was taught would turn three quarters of
# the koans green. What it misses of the others is mostly a wrong edit of the right line, in a context where it never saw
# that bug.
#
# *What would change our mind:* a second coder, from another seed, for which the nights give other verdicts.
