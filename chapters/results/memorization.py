# %% [markdown]
# # Does a model memorise a short story? {#sec-results-memorization}

# %%
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.book.numbers import bare
from llmlab.book.show import (
    answer,
    command,
    curves,
    evidence,
    method,
    note,
    says,
    scales,
    table,
    value,
    verdict,
)

found = evidence("memorization")
corpora = found.runs["corpus"].unique().tolist()
story = corpora[0]
settings = found.experiment.budgets[found.scale].settings

turned = says(
    "H-MEM-2",
    supported="Too many epochs do harm: the validation loss turns around and rises. Its minimum is at "
    f"{value('memorization', 'best_step', corpus=story)} of {settings['steps']}; the rest of the run makes the model "
    "worse on text that it has not seen.",
    refuted="The validation loss rises from its minimum by less than we said: more epochs cost little.",
    undecided="It is open whether the validation loss rises again by as much as in the published run.",
)
parted = says(
    "H-MEM-1",
    supported="The short text is the cause, not the model: with the same model and the same number of steps, the gap is much "
    "larger on the short text.",
    refuted="The gap on the short text is not much larger than on the long one: length matters less than we "
    "thought.",
    undecided="It is open whether the gap on the short text is as much larger as we said.",
)
answer(turned, parted)

# %% [markdown]
# ## The question
#
# Many courses start with training a GPT on one short story. The training loss falls almost to zero, but the validation
# loss does not. When a model reads one short story over and over, when does it start to memorise instead of learn? And
# is that due to the story or the model? To find out, we train the same model for the same number of steps on a text
# fifty times as long.

# %%
note("memorization")

# %%
# | label: fig-results-memorization
# | fig-cap: "Training loss (of the batches) and validation loss on each text. Means over seeds with 95 % confidence intervals."
# | fig-alt: "Two panels of loss over steps. On The Verdict the training loss keeps falling while the validation loss turns and rises. On tiny Shakespeare both fall together."
curves("memorization", ["loss", "validation_loss"], panels="corpus", together="loss")

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-MEM-1")

# %%
verdict("H-MEM-2")

# %%
verdict("H-MEM-3")

# %% [markdown]
# ## Method
#
# `verdict` is *The Verdict*, a story by Edith Wharton of some twenty thousand characters; `tinyshakespeare` is a
# million characters of Shakespeare's plays. The last tenth of each text is for validation, the rest for training.
# Model, batch size and number of steps are the same for both, so the model reads the story dozens of times and the
# plays about once. The *gap* is the validation loss minus the training loss at the end, both measured on the finished
# model without dropout. The *rebound* is the validation loss at the end minus its lowest value during training.
#
# Each text has its own byte-level BPE vocabulary (of the same size), learned from the whole of it. So a token of one
# text is not a token of the other: you can compare a loss per token along one curve, but not between the two.

# %%
# | label: tbl-memorization-method
# | tbl-cap: "Conditions and budget of the memorisation experiment."
method("memorization")

# %% [markdown]
# This command makes the table:

# %%
command("memorization")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-memorization
# | tbl-cap: "Both texts at the end of training. Compare losses per token within a row, not between rows."
table(
    "memorization",
    ["epochs", "train_loss", "validation_loss", "gap", "rebound", "bits_per_byte"],
    by="corpus",
    compare=False,
)

# %% [markdown]
# ### Compared with the published run
#
# Raschka's course [@raschka2024llm] trains on the same story, with a model of GPT-2's shape and vocabulary, and prints
# every loss. @tbl-memorization-published compares the two.

# %%
# | label: tbl-memorization-published
# | tbl-cap: "The published run (Raschka 2024, chapter 5 and its notebook; one seed) and ours (mean over seeds). Nats per token refer to each run's own vocabulary; only the last two rows are comparable."
import math

ours = found.runs[found.runs["corpus"] == story]
own = found.curves["run_id"].isin(ours["run_id"]) & (found.curves["metric"] == "validation_loss")
start = found.curves[own & (found.curves["step"] == 0)]["value"].mean()

PUBLISHED_BYTES, PUBLISHED_TOKENS = 20_479, 5_145  # of the whole story, all ASCII
PUBLISHED_VOCABULARY = 50_257


def published_bits(nats_per_token: float) -> str:
    """Bits per byte at the story's mean length of a token of GPT-2's vocabulary."""
    return bare(nats_per_token / math.log(2) * PUBLISHED_TOKENS / PUBLISHED_BYTES)


lowest = ours["validation_loss"] - ours["rebound"]
rate = ours["bits_per_byte"] / ours["validation_loss"]
rows = [
    ["text", "The Verdict", f"`{story}`"],
    ["parameters", "124 million, or 163 million with its untied output layer", value("memorization", "parameters", corpus=story)],
    ["vocabulary", f"{PUBLISHED_VOCABULARY:,}, learned from the web", f"{settings['vocab_size']}, learned from the text"],
    ["epochs", "10", value("memorization", "epochs", corpus=story)],
    ["loss of a uniform guess", f"{bare(math.log(PUBLISHED_VOCABULARY))} nats/token", f"{bare(math.log(settings['vocab_size']))} nats/token"],
    ["validation loss before training", "10.98 nats/token", f"{bare(start)} nats/token"],
    ["lowest validation loss", "6.123 nats/token, epoch 6 of 10", f"{bare(lowest.mean())} nats/token, epoch {bare((ours['best_step'] / settings['steps'] * ours['epochs']).mean())}"],
    ["validation loss at the end", "6.373 nats/token", value("memorization", "validation_loss", corpus=story)],
    ["its rise", "0.250 nats/token", value("memorization", "rebound", corpus=story)],
    ["training loss at the end", "0.569 nats/token", value("memorization", "train_loss", corpus=story)],
    ["**lowest, in bits per byte**", published_bits(6.123), bare((lowest * rate).mean())],
    ["**at the end, in bits per byte**", published_bits(6.373), value("memorization", "bits_per_byte", corpus=story)],
]  # fmt: skip
Markdown(pipe_table(["", "Published", "Ours"], rows))

# %% [markdown]
# The shapes agree: a fast fall, a minimum of the validation loss, a slow rise, and a training loss that keeps falling.
# The numbers cannot agree, and comparing them would mislead. A token of a large vocabulary is longer and harder to
# guess than one of a small vocabulary, so a loss per token says nothing until we divide it by the bytes that a token
# covers. We estimate the published run's bits per byte with the mean token length in the whole story, because its
# notebook does not give that of the last tenth. And its vocabulary brings knowledge of English with it, which ours does
# not.
#
# ### A smaller and a larger model
#
# @tbl-memorization-scales has every claim at every scale. A table whose code has changed since is marked *stale*; this
# page shows the largest scale that is current.

# %%
# | label: tbl-memorization-scales
# | tbl-cap: "The verdict on each claim at each scale, with its effect, its 90 % interval and the number of seeds."
scales("H-MEM-1")

# %% [markdown]
# ### Why this is a test of memory

# %%
capacity = 2 * ours["parameters"].mean()  # bits: two for each parameter (Allen-Zhu and Li 2024)
text_bits = 8 * PUBLISHED_BYTES
Markdown(
    "The story has some twenty thousand characters. Language models store about two bits per parameter when they see "
    f"something often enough [@allenzhu2024capacity], so our {value('memorization', 'parameters', corpus=story)} "
    f"could hold the text of The Verdict {bare(capacity / text_bits)} times over, letter by letter and without any "
    "compression, and those of the published run more than a thousand times. Nothing forces these models to find what "
    "is *general* in the text: after enough epochs, the cheapest way to lower the training loss is to know the text by "
    "heart. We can only measure how fast they do so. To find out whether a model learns language, use a text that is too "
    "long to memorise, or read it only once."
)

# %% [markdown]
# ## Learnings

# %%
parted += (
    " The gap is "
    + " and ".join(
        f"{value('memorization', 'gap', corpus=corpus)} on `{corpus}`" for corpus in corpora
    )
    + "."
)
once = says(
    "H-MEM-3",
    supported="When the model reads a text about once, training and validation loss stay together.",
    refuted="Even on the long text the losses part by more than we said.",
    undecided="It is open whether the losses stay together on the long text.",
)
Markdown("\n".join(f"- {learning}" for learning in (parted, turned, once)))

# %% [markdown]
# Two more things show in the tables. Nobody registered them, so take them as observations.

# %%
nats = [value("memorization", "validation_loss", corpus=corpus) for corpus in corpora]
bits = [value("memorization", "bits_per_byte", corpus=corpus) for corpus in corpora]
mean = found.runs.groupby("corpus", sort=False)[["validation_loss", "bits_per_byte"]].mean()
flips = (mean.iloc[0] < mean.iloc[-1]).nunique() > 1
judged = (
    "The two units disagree about which text the model predicts better: if you compare losses of two vocabularies, "
    "you can get even the order wrong."
    if flips
    else "Here the two units agree about which text the model predicts better; they need not."
)
pairs = [
    f"on `{corpus}` {one} or {other}"
    for corpus, one, other in zip(corpora, nats, bits, strict=True)
]
Markdown(
    f"- The final validation loss in two units: {'; '.join(pairs)}. {judged}\n"
    "- The losses part long before the validation loss turns (@fig-results-memorization): a gap alone is not harm. A run "
    "that stops when a gap opens stops too early; one that stops when the validation loss rises does not."
)

# %% [markdown]
# *What would change our mind:* the validation part of the story is a few pages, and all seeds share it; another story,
# or another tenth of this one, may turn earlier or later. We did not vary dropout and weight decay. If the model reads
# the story as often in another setting and the validation loss does not turn, the settings are the cause, not the text.
