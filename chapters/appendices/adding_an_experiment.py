# %% [markdown]
# # Adding an experiment {#sec-adding-an-experiment}
#
# You have a question. In an afternoon it can be a page of this book, with a verdict. One command writes everything
# that an experiment consists of, in a form that already runs:
#
# ```bash
# llmlab new experiment batch_size
# ```
#
# It prints the files in the order in which to edit them. A concept that needs a page of its own begins with
# `llmlab new concept NAME`: a picture first, one formula, code that runs live in seconds, and at the end the experiments
# that test it.
#
# ## The question and the hypothesis
#
# They come first, in `chapters/hypotheses/`, and are committed before any result: git remembers the order, and a
# hypothesis that came after its result says so on its page.

# %%
from pathlib import Path

from IPython.display import Markdown

from llmlab.book.markup import details, pipe_table

hypotheses = Path("chapters/hypotheses/hypotheses.toml").read_text(encoding="utf-8")
first = hypotheses.split("[[hypothesis]]")[1].strip()
Markdown(details("The first hypothesis of this book, as it was written", f"```toml\n{first}\n```"))

# %% [markdown]
# Five kinds of claim can be judged:

# %%
# | label: tbl-claims
# | tbl-cap: "The claims that a hypothesis can make, and what decides each of them."
CLAIMS = [
    ("greater", "treatment exceeds control by more than the margin", "one-sided paired t test"),
    ("less", "treatment falls short of control by more than the margin", "one-sided paired t test"),
    (
        "equivalent",
        "the difference lies within plus or minus the margin",
        "two one-sided paired t tests",
    ),
    ("monotone", "the metric rises (or falls) along an axis", "t test of rank correlations"),
    (
        "interval",
        "the best level of an axis lies between two levels",
        "paired t tests of levels inside against levels outside",
    ),
]
Markdown(
    pipe_table(["claim", "says", "decided by"], [[f"`{claim}`", *rest] for claim, *rest in CLAIMS])
)

# %% [markdown]
# Choose the margin before you look: the smallest difference that you would act on. An `equivalent` claim needs seeds
# enough that the interval can fit between the margins. Axes named in `tuned` get, on either side, the level that the
# experiment's selection metric chooses, so that both sides have had the same budget of tuning.
#
# ## The script
#
# One file declares the conditions, the seeds, the metrics with their units, and a budget for each scale; its `run`
# turns one condition and one seed into one row. It shows the intervention and nothing else. This is the whole of the
# learning-rate experiment:

# %%
import inspect

from llmlab.experiments import learning_rate

Markdown(
    details(
        "src/llmlab/experiments/learning_rate.py",
        f"```python\n{inspect.getsource(learning_rate)}```",
    )
)

# %% [markdown]
# Some rules of thumb:
#
# - Pair by seed. Whatever is random but not under test (data order, starts of adapters) is drawn from the seed
#   alone, so that the conditions of one seed differ in nothing else.
# - A run that diverges is a result. Return `EXPERIMENT.diverged(...)`; it counts as the worst completed value.
# - Budgets differ between scales, code does not. A smoke run lasts seconds.
# - Five paired seeds find large effects, ten find smaller ones; the verdict says which effect they could have seen.
#
# ## Run it small
#
# ```bash
# make
# ```
#
# runs it at smoke scale, adds its columns to @sec-data-dictionary, its tables to @sec-provenance and its chapter to
# the book. Verdicts stay *untested*: smoke runs are no evidence.
#
# ## Run it for real, and record it
#
# ```bash
# make results SCALE=laptop
# llmlab record batch_size --scale laptop
# ```
#
# The runs go on where they stopped if they are interrupted. Recording copies the tables to `results/`, to be
# committed like code. `llmlab verdicts` shows what they say.
#
# ## Write the chapter
#
# A chapter in `chapters/results/` reads from top to bottom: question, verdicts, method, results, learnings. It
# names its experiment once in each call and types no result:

# %%
# | label: tbl-calls
# | tbl-cap: "What chapters call. All names come from `llmlab.book.show`."
CALLS = [
    ('value("x", "accuracy", rank=8)', "a mean with interval and origin, inside a sentence"),
    (
        'difference("x", "accuracy", treatment={...}, control={...})',
        "a paired difference, inside a sentence",
    ),
    ('best("x", "learning_rate")', "the level that the selection metric chooses"),
    ('table("x", ["accuracy"], by="rank")', "means ± intervals, the best and its ties marked"),
    ('figure("x", "accuracy", x="rank", by="rule")', "means with intervals, numbers folded below"),
    ('curves("x", "loss", by="rank")', "curves with bands, last values folded below"),
    ('verdict("H-X-1")', "the box of a verdict"),
    ('badge("H-X-1"), effect("H-X-1")', "its word and its effect, inside a sentence"),
    ('says("H-X-1", supported="...", ...)', "the sentence that fits the verdict"),
    ('method("x"), command("x"), note("x")', "conditions and budget; the command; cautions"),
    (
        'explorer("x", "attention", run={...})',
        "a look inside a model: a widget, a picture in print",
    ),
    ('means("x", "accuracy", by="rank")', "a data frame, for a figure drawn by hand"),
]
Markdown(pipe_table(["call", "gives"], [[f"`{call}`", gives] for call, gives in CALLS]))

# %% [markdown]
# A number typed into a results or learnings chapter fails the build. If it is no result but a setting, say so:
# `[8]{.setting}`.
