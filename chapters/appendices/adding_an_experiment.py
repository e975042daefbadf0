# %% [markdown]
# # Adding an experiment {#sec-adding-an-experiment}
#
# You have a question. In an afternoon you can turn it into a page of this book, with a verdict. One command writes
# everything that an experiment needs, in a form that already runs:
#
# ```bash
# llmlab new experiment batch_size
# ```
#
# It lists the files in the order in which to edit them. For a concept that needs its own page, start with
# `llmlab new concept NAME`: a picture first, one formula, code that runs live in seconds, and at the end the
# experiments that test it.
#
# ## The question and the hypothesis
#
# Write these first, in `chapters/hypotheses/`, and commit them before any result. Git records the order, and a
# hypothesis that came after its result says so on its page.

# %%
from pathlib import Path

from IPython.display import Markdown

from llmlab.book.markup import details, pipe_table

hypotheses = Path("chapters/hypotheses/hypotheses.toml").read_text(encoding="utf-8")
first = hypotheses.split("[[hypothesis]]")[1].strip()
Markdown(details("The first hypothesis of this book, as it was written", f"```toml\n{first}\n```"))

# %% [markdown]
# A hypothesis can make five kinds of claim:

# %%
# | label: tbl-claims
# | tbl-cap: "The claims that a hypothesis can make, and the test that decides each of them."
CLAIMS = [
    ("greater", "treatment exceeds control by more than the margin", "one-sided paired test"),
    ("less", "treatment falls short of control by more than the margin", "one-sided paired test"),
    (
        "equivalent",
        "the difference is within plus or minus the margin",
        "two one-sided paired tests",
    ),
    (
        "monotone",
        "the metric rises (or falls) along an axis",
        "Page's permutation test, and a mean rank correlation of at least the margin",
    ),
    (
        "interval",
        "the best level of an axis is between two levels",
        "paired tests of levels inside against levels outside",
    ),
]
Markdown(
    pipe_table(["claim", "says", "decided by"], [[f"`{claim}`", *rest] for claim, *rest in CLAIMS])
)

# %% [markdown]
# Which paired test it is depends on the outcome and the number of seeds (see the [preface](../preface.ipynb)).
#
# Choose the margin before you look: the smallest difference that you would act on. An `equivalent` claim needs enough
# seeds for its interval to fit between the margins. For axes named in `tuned`, each side uses the level that the
# experiment's selection metric chooses for it, so both sides get the same tuning budget.
#
# ## The script
#
# One file declares the conditions, the seeds, the metrics with their units, and a budget for each scale. Its `run`
# function turns one condition and one seed into one row. The file shows the intervention and nothing else. Here is the
# whole learning-rate experiment:

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
# - Pair by seed. Draw everything that is random but not under test (data order, initial adapter weights) from the seed
#   alone, so that the runs of one seed differ only in their condition.
# - A run that diverges is a result. Return `EXPERIMENT.diverged(...)`; it is scored as the worst value among the
#   completed runs.
# - Only budgets differ between scales; the code is the same. A smoke run takes seconds.
# - Use at least ten paired seeds; for a loss, five can be enough. More seeds find smaller effects, and the verdict says
#   which effect they could have detected.
#
# ## Run it small
#
# ```bash
# make
# ```
#
# runs it at smoke scale, and adds its columns to @sec-data-dictionary, its tables to @sec-provenance and its chapter to
# the book. Its verdicts stay *untested*: smoke runs are not evidence.
#
# ## Run it for real, and record it
#
# ```bash
# make results SCALE=laptop
# llmlab record batch_size --scale laptop
# ```
#
# If you interrupt the runs, the same command resumes where they stopped. Recording copies the tables to `results/`;
# commit them like code. `llmlab verdicts` prints the verdicts.
#
# ## Write the chapter
#
# A chapter in `chapters/results/` has a fixed order: answer, question, verdicts, method, results, learnings. It names its
# experiment in each call and types no result:

# %%
# | label: tbl-calls
# | tbl-cap: "The functions that chapters call. All of them come from `llmlab.book.show`."
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
    ('cite("H-X-1")', "its id, word and effect, in the brackets of a sentence"),
    ('says("H-X-1", supported="...", ...)', "the sentence that fits the verdict, with its effect"),
    ("answer(sentence, ...)", "the answer to the question, the first paragraph of a results page"),
    ('method("x"), command("x"), note("x")', "conditions and budget; the command; cautions"),
    (
        'explorer("x", "attention", run={...})',
        "a look inside a model: a widget, a picture in print",
    ),
    ('means("x", "accuracy", by="rank")', "a data frame, for a figure drawn by hand"),
]
Markdown(pipe_table(["call", "gives"], [[f"`{call}`", gives] for call, gives in CALLS]))

# %% [markdown]
# A number typed into a results or learnings chapter fails the build. If the number is a setting and not a result, mark
# it: `[8]{.setting}`.
