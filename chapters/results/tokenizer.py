# %% [markdown]
# # Which vocabulary size is best? {#sec-results-tokenizer}

# %%
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.book.numbers import bare
from llmlab.book.show import (
    answer,
    command,
    evidence,
    figure,
    means,
    method,
    note,
    says,
    table,
    value,
    verdict,
)

thousand = says(
    "H-TOK-1",
    supported="Merges pay: after the same text a thousand ids predict it with markedly fewer bits per byte than bytes "
    "alone, although they see fewer tokens and take less compute.",
    refuted="A thousand ids are not better than bytes alone by the margin we set: the larger vocabulary may cost what the "
    "longer context gains.",
    undecided="It is open whether a thousand ids are markedly better than bytes alone.",
)
beyond = says(
    "H-TOK-3",
    supported="Beyond a thousand ids the size hardly matters here, so it can be chosen for speed: fewer tokens, larger "
    "embedding.",
    refuted="Beyond a thousand ids the size still matters, by more than a tenth of a bit.",
    undecided="It is open whether the size matters beyond a thousand ids.",
)
answer(thousand, beyond)

# %% [markdown]
# ## The question
#
# Text becomes tokens before a model sees it. A small vocabulary cuts the text into many short pieces, a large one into
# few long ones. Which vocabulary size predicts a text with the fewest bits per byte, if everything else is equal? And
# can everything else be equal at all?

# %%
note("tokenizer")

# %%
# | label: fig-results-tokenizer
# | fig-cap: "Bits per byte of held-out code, and the mean length of a token, for each vocabulary size. Dots are single runs."
# | fig-alt: "Upper panel: bits per byte over the size of the vocabulary, on a logarithmic axis, with error bars. Lower panel: bytes per token, which rises."
figure("tokenizer", ["bits_per_byte", "bytes_per_token"], x="vocab_size")

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-TOK-1")

# %%
verdict("H-TOK-2")

# %%
verdict("H-TOK-3")

# %% [markdown]
# ## Method
#
# Every vocabulary is a byte-level BPE [@sennrich2016bpe; @radford2019gpt2] learned only from the training part of the
# corpus, the source code of Python's standard library. The smallest has one id for each byte, one for the end of a
# text, and no merges. We divide the loss by the bytes that its tokens cover, because a loss per token rewards short
# tokens: only bits per byte are comparable.
#
# @tbl-tokenizer-equal shows what is equal for all sizes and what is not. A step reads the same number of *bytes*
# whatever the vocabulary, so in the end every model has seen the same text. The price: a model of bytes takes more
# tokens per step, and more compute; and its context, which has the same number of *tokens*, covers fewer bytes. (We
# estimate compute as six floating-point operations per parameter and token [@kaplan2020scaling].)

# %%
# | label: tbl-tokenizer-method
# | tbl-cap: "Conditions and budget of the tokenizer experiment."
method("tokenizer")

# %%
# | label: tbl-tokenizer-equal
# | tbl-cap: "What is equal (steps and text), and what follows from the vocabulary. Compute is estimated."
found = evidence("tokenizer")
settings = found.experiment.budgets[found.scale].settings
runs = found.runs.groupby("vocab_size", sort=False).first()
lengths = means("tokenizer", "bytes_per_token", by="vocab_size").set_index("vocab_size")["mean"]
rows = [
    [
        f"{size:,}",
        f"{settings['steps']}",
        f"{settings['steps'] * settings['bytes_per_step'] / 1e3:,.0f} kB",
        f"{settings['context'] * lengths[size]:,.0f} bytes",
        f"{run['tokens'] / 1e3:,.0f} thousand",
        f"{run['parameters'] / 1e3:,.0f} thousand",
        f"{6 * run['parameters'] * run['tokens'] / 1e12:.2g} TFLOP",
    ]
    for size, run in runs.iterrows()
]
header = ["Vocabulary", "Steps", "Text read", "Context", "Tokens", "Parameters", "Compute"]
Markdown(pipe_table(header, rows, numeric=range(1, 7)))

# %% [markdown]
# This command makes the table of results:

# %%
command("tokenizer")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-tokenizer
# | tbl-cap: "Every vocabulary after the same text."
table("tokenizer", ["bits_per_byte", "bytes_per_token"], by="vocab_size")

# %%
sizes = runs.index.tolist()
smallest, largest = {"vocab_size": sizes[0]}, {"vocab_size": sizes[-1]}
Markdown(
    "The loss per token tells another story: it is "
    f"{value('tokenizer', 'validation_loss', **smallest)} for the smallest vocabulary and "
    f"{value('tokenizer', 'validation_loss', **largest)} for the largest. A short token is easier to guess, but there are "
    "more of them."
)

# %% [markdown]
# How do the vocabularies get there? @fig-results-tokenizer-way follows them during training.

# %%
# | label: fig-results-tokenizer-way
# | fig-cap: "Bits per byte of held-out code by text read so far, for each vocabulary size. Means over seeds with 95 % confidence intervals. The first point is the untrained model."
# | fig-alt: "One falling curve for each vocabulary. They start far apart, the largest vocabulary lowest, and come closer to each other while they fall."
from llmlab.book import style
from llmlab.book.evidence import results
from llmlab.book.evidence.readings import mean_curves

way = mean_curves(found, ["validation_loss"], ["vocab_size"], {})
drawn, axes = style.subplots()
for size, colour in zip(sizes, style.sequence(len(sizes)), strict=True):
    points, run = way[way["vocab_size"] == size], runs.loc[size]
    bits = run["bits_per_byte"] / run["validation_loss"]  # a fixed rate: bytes in the text's tokens
    read = points["step"] * settings["bytes_per_step"] / 1e3
    axes.plot(read, bits * points["mean"], color=colour, label=f"{size:,}")
    axes.fill_between(
        read, bits * points["low"], bits * points["high"], color=colour, alpha=0.2, linewidth=0
    )
axes.set(xlabel="text read (kB)", ylabel="validation loss (bits/byte)")
axes.legend(title="vocabulary")
style.sign(drawn, results.footer(found))
drawn

# %% [markdown]
# ## Learnings

# %%
falls = says(
    "H-TOK-2",
    supported="Bits per byte fall as the vocabulary grows, over the whole sweep.",
    refuted="Bits per byte do not simply fall as the vocabulary grows: there is a size beyond which it costs more than "
    "it brings.",
    undecided="It is open whether bits per byte fall over the whole sweep.",
)
Markdown("\n".join(f"- {learning}" for learning in (thousand, falls, beyond)))

# %% [markdown]
# We did not register two things that @fig-results-tokenizer-way shows. Take them as observations, and as a reason to
# read the verdicts with care.

# %%
middle = way["step"].unique()[len(way["step"].unique()) // 3]


def bits_at(step: int, size: int) -> float:
    """Mean bits per byte of unseen text after so many steps."""
    point = way[(way["vocab_size"] == size) & (way["step"] == step)]["mean"].item()
    return point * runs.loc[size, "bits_per_byte"] / runs.loc[size, "validation_loss"]


def apart(step: int) -> str:
    """How far the smallest and the largest vocabulary are apart then."""
    return bare(bits_at(step, sizes[0]) - bits_at(step, sizes[-1]))


trained_on = 0.9 * settings["corpus_bytes"] / (settings["steps"] * settings["bytes_per_step"])
Markdown(
    "- **A vocabulary is knowledge.** Before the first step, when every model guesses blindly, the largest vocabulary "
    f"already needs {bare(bits_at(0, sizes[-1]))} bits per byte and the smallest {bare(bits_at(0, sizes[0]))}: per byte "
    "of text, a blind guess among many long tokens is better than one among few bytes. And the merges were learned from "
    f"{bare(trained_on)} times as much text as the models read here.\n"
    f"- **The head start shrinks.** The largest vocabulary is ahead of the smallest by {apart(0)} bits per byte at "
    f"the start, by {apart(middle)} after {middle} steps and by {apart(way['step'].max())} at the end. These are short runs, "
    "and nothing here says where the curves would meet or cross."
)

# %% [markdown]
# *What would change our mind:* above all, a longer run. If the best size is at the edge of the sweep, the sweep has not
# found it. And we made some things equal at the cost of others (@tbl-tokenizer-equal): with equal *compute* instead of
# equal text, models of bytes would read less and fall further behind; with equal *context in bytes*, or equal
# parameters, they might catch up.
