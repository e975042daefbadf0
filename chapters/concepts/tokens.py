# %% [markdown]
# # From text to tokens {#sec-tokens}
#
# A language model never sees text. It sees a list of whole numbers, each smaller than the size of its *vocabulary*, and
# predicts the next one. A **tokenizer** turns text into such numbers (tokens) and back. @fig-tokens-cut shows one line
# of code cut by three tokenizers: the same bytes, in many small pieces or in a few large ones.

# %%
# | label: fig-tokens-cut
# | fig-cap: "One line, cut by three vocabularies that were learned from the source text of Python's standard library. A box is one token; a dot is a space. The accented letter takes two bytes, and no merge has joined them."
# | fig-alt: "Three rows of boxes, one below the other. In the first every byte has its own box. In the second and third, spaces, the word raise and parts of ValueError have become single boxes, so there are fewer and wider ones."
# | echo: false
from matplotlib.patches import Rectangle

from llmlab.book import style
from llmlab.gpt.text.encoded_corpus import named_corpus
from llmlab.gpt.text.text_tokenizers import train_bpe

text = "".join(named_corpus("stdlib", 360_000).texts())
read, unseen = text[:300_000], text[300_000:]
tokenizers = {size: train_bpe([read], size) for size in (257, 512, 1024, 2048, 4096)}


def draw_cut(axes, y, tokenizer, line, name):
    """The tokens of `line` as a row of boxes, each as wide as its number of bytes."""
    ids = tokenizer.encode(line)
    axes.text(0, y + 1.25, f"{name}: {len(ids)} tokens", va="bottom")
    x = 0
    for number, index in enumerate(ids):
        width = len(tokenizer.token_bytes(index))
        colour = (style.SKY, style.FAINT)[number % 2]
        axes.add_patch(
            Rectangle((x, y), width, 1, facecolor=colour, edgecolor="white", linewidth=2)
        )
        shown = tokenizer.token_text(index).replace(" ", "·")
        small = shown.startswith("<0x")
        shown = shown.removeprefix("<0x").removesuffix(">") if small else shown
        size = 7 if small else 10.5
        axes.text(
            x + width / 2, y + 0.45, shown, ha="center", va="center", family="monospace", size=size
        )
        x += width


figure, axes = style.subplots(height=2.9)
line = '    raise ValueError("café")'
names = {257: "bytes", 512: "vocabulary of 512", 4096: "vocabulary of 4,096"}
for row, (size, name) in enumerate(names.items()):
    draw_cut(axes, -2.8 * row, tokenizers[size], line, name)
axes.set(xlim=(-0.1, len(line.encode()) + 0.1), ylim=(-5.7, 2.2))
axes.axis("off")
figure

# %% [markdown]
# ## Bytes come first
#
# Unicode has far more characters than a small model can have token ids, and people invent new words every day. But
# every text is a sequence of bytes, and there are only 256 different bytes. A tokenizer that starts from bytes can
# spell anything, and decoding returns exactly the text that went in.

# %%
# | echo: true
# | code-fold: false
print(list("café".encode()))

anything = "naïve 東京 😀\r\n\t\x00"
assert tokenizers[512].decode(tokenizers[512].encode(anything)) == anything

# %% [markdown]
# The price is length. A model reads a fixed number of tokens at a time and does work for each of them, so one byte per
# token wastes both context and compute.
#
# ## Byte-pair encoding by hand
#
# Byte-pair encoding (BPE) began as a method to compress files [@gage1994compression]. @sennrich2016bpe brought it to
# language, and GPT-2 to bytes [@radford2019gpt2]. The rule fits in one sentence: *find the pair of neighbours that
# occurs most often, make it a token, repeat*. We first split the text into words, so that no token crosses the end of a
# word; a word keeps the space before it.

# %%
# | echo: true
# | code-fold: false
from collections import Counter
from itertools import pairwise

from tokenizers.pre_tokenizers import ByteLevel

Word = tuple[bytes, ...]  # its tokens


def split_into_words(text: str) -> Counter[Word]:
    """How often each word occurs, at first as single bytes."""
    spans = (span for _, span in ByteLevel(add_prefix_space=False).pre_tokenize_str(text))
    words = (text[start:end].encode() for start, end in spans)
    return Counter(tuple(word[i : i + 1] for i in range(len(word))) for word in words)


def most_frequent_pair(words: Counter[Word]) -> tuple[tuple[bytes, bytes], int]:
    pairs = Counter()
    for word, n_times in words.items():
        for pair in pairwise(word):
            pairs[pair] += n_times
    return pairs.most_common(1)[0]


def merge(word: Word, pair: tuple[bytes, bytes]) -> Word:
    """The word with every occurrence of the pair made one token."""
    merged = []
    for token in word:
        if merged and (merged[-1], token) == pair:
            merged[-1] += token
        else:
            merged.append(token)
    return tuple(merged)


# %%
# | label: tbl-tokens-merges
# | tbl-cap: "The first merges learned from the source text of Python's standard library. A dot is a space."
# | echo: true
# | code-fold: false
from IPython.display import Markdown

from llmlab.book.markup import pipe_table


def shown(token: bytes) -> str:
    """A token for display, its spaces and line ends made visible."""
    spelled = token.decode(errors="backslashreplace")
    visible = spelled.replace(" ", "·").replace("\n", "\\n")
    return f"`{visible}`"


sample = read[:100_000]
words = split_into_words(sample)
new_tokens, rows = [], []
for number in range(1, 21):
    pair, n_times = most_frequent_pair(words)
    merged_words = Counter()
    for word, n_words in words.items():
        merged_words[merge(word, pair)] += n_words
    words = merged_words
    new_tokens.append(b"".join(pair))
    rows.append([str(number), *map(shown, pair), shown(new_tokens[-1]), f"{n_times:,}"])
Markdown(pipe_table(["merge", "left", "right", "new token", "occurs"], rows[:12], numeric=[0, 4]))

# %% [markdown]
# Merges build on merges: spaces become indentation, letters become the syllables and keywords of the language. To
# encode a new text, we apply the same merges in the same order. The library uses the compiled code of `tokenizers`; the
# algorithm is the one above.

# %%
# | echo: true
# | code-fold: false
library = train_bpe([sample], vocab_size=257 + 20)  # 256 bytes, the end of a text, 20 merges
theirs = [library.token_bytes(index) for index in range(257, library.vocab_size)]
print(f"{len(set(new_tokens) & set(theirs))} of the {len(theirs)} merges are the same")

# %% [markdown]
# One id stands for no bytes at all: the end of a text, `<|endoftext|>`. We put it between two documents, so that the
# model learns where one stops. Text never produces this id: if you type these characters, you get the tokens of the
# characters.
#
# ## How large a vocabulary?
#
# More merges mean fewer tokens. But each doubling of the vocabulary gains less than the one before, because later
# merges are rarer (@fig-tokens-vocabulary). And each id costs the model one row of its embedding table: as many
# parameters as the model is wide. A vocabulary that suits a large model would take up most of a small one.

# %%
# | label: fig-tokens-vocabulary
# | fig-cap: "What a larger vocabulary buys and costs. Above: the mean length of a token, in the text that the merges were learned from and in held-out text. Below: the share of a model's parameters in its token embedding (four blocks, width 128)."
# | fig-alt: "Two panels over the size of the vocabulary on a logarithmic axis. Above, bytes per token rise ever more slowly, and are a little lower in held-out text. Below, the share of the embedding rises ever faster."
# | echo: true
from dataclasses import replace

from llmlab.gpt.configs import n_parameters, preset


def bytes_per_token(tokenizer, text: str) -> float:
    return len(text.encode()) / len(tokenizer.encode(text))


shape = preset("micro").shape
sizes = list(tokenizers)
shares = [size * shape.d_model / n_parameters(replace(shape, vocab_size=size)) for size in sizes]

figure, (above, below) = style.subplots(2, 1, height=4.6, sharex=True)
for marker, name, part in ("o", "text it learned from", read), ("s", "held-out text", unseen):
    lengths = [bytes_per_token(tokenizer, part) for tokenizer in tokenizers.values()]
    above.plot(sizes, lengths, marker=marker, label=name)
above.set(ylabel="bytes per token", ylim=(0, None), xscale="log")
above.legend()
below.plot(sizes, [100 * share for share in shares], color=style.GREEN, marker="s")
below.set(xlabel="vocabulary size", ylabel="embedding's share\nof parameters (%)", ylim=(0, None))
below.set_xticks(sizes, [f"{size:,}" for size in sizes])
below.set_xticks([], minor=True)
figure

# %% [markdown]
# ## Why bits per byte
#
# We grade a model by its **loss**: the mean of $-\ln p$ over all tokens, where $p$ is the probability that it gave to
# the token that actually came next. The unit is nats per *token*, and that is a trap: another tokenizer cuts the same
# text into another number of tokens. Guessing one byte among 256 is easier than guessing one token among thousands, and
# it says less about the text. So we divide by something that does not change, the number of bytes in the text
# [@gao2020pile, section 3.1]:
#
# $$ \text{bits per byte} \;=\; \frac{\text{nats per token}}{\ln 2} \cdot \frac{\text{tokens}}{\text{bytes}} $$ {#eq-bits-per-byte}
#
# This is the size to which the model could compress each byte of the text; eight bits would be no compression at all.
# Here is the trap at work, with the simplest model there is: it knows how often each token occurs and nothing else.

# %%
# | label: fig-tokens-bits
# | fig-cap: "One kind of model, five tokenizers, the same held-out text. Single bytes look best by loss per token, and are worst by bits per byte."
# | fig-alt: "Two panels over the size of the vocabulary. On the left nats per token rise with it. On the right bits per byte fall."
# | echo: true
import numpy as np


def loss_of_frequencies(tokenizer) -> float:
    """Nats per token of held-out text, for a model that predicts each token by its frequency."""
    counts = np.bincount(tokenizer.encode(read), minlength=tokenizer.vocab_size) + 1
    return float(-np.log(counts / counts.sum())[tokenizer.encode(unseen)].mean())


losses = [loss_of_frequencies(tokenizer) for tokenizer in tokenizers.values()]
bits = [
    loss / np.log(2) / bytes_per_token(tokenizer, unseen)
    for loss, tokenizer in zip(losses, tokenizers.values(), strict=True)
]
figure, panels = style.subplots(1, 2, height=2.9)
for axes, values, name, colour in zip(
    panels, (losses, bits), ("nats per token", "bits per byte"), style.CYCLE, strict=False
):
    axes.plot(sizes, values, "o-", color=colour)
    axes.set(xscale="log", xlabel="vocabulary size", ylabel=name, ylim=(0, None))
    axes.set_xticks([257, 1024, 4096], ["257", "1,024", "4,096"])
    axes.set_xticks([], minor=True)
figure

# %% [markdown]
# Only the alphabet changes from left to right, not the kind of model, and each larger alphabet has more knowledge of
# the text built in. Wherever this book compares models with different tokenizers, it uses bits per byte.
#
# ## What the book tests
#
# - Does a real model predict text better with a larger vocabulary, and up to which size? @sec-results-tokenizer
# - How do different vocabularies compare on code and on plays, in bits per byte? @sec-results-pretraining
