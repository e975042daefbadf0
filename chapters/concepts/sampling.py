# %% [markdown]
# # Sampling {#sec-sampling}
#
# A language model does not write. It gives every token of its vocabulary a score, and something else has to choose.
# @fig-sampling-temperature shows what a small GPT expects after *This is the*. It has read the eleven verses of a
# nursery rhyme, the early ones more often than the late ones, so it knows eleven ways to continue. One of them is drawn
# at random, and the **temperature** decides how boldly.

# %%
# | label: fig-sampling-temperature
# | fig-cap: "Probability of the next token after *This is the*, at three temperatures. Bars: computed probability. Dots: share of 2,000 draws by the library's sampler."
# | fig-alt: "Three panels of bars, one for each of the likeliest tokens. At a low temperature the first bar is far above the others. At temperature one the bars fall off slowly. At a high temperature all are low and nearly equal. The dots sit on the tops of the bars."
# | echo: true
# | code-fold: true
# | code-summary: "The rhyme, the model and the figure"
import torch
from torch.nn.utils.rnn import pad_sequence

from llmlab.book import style
from llmlab.gpt.generation import Sampler, SamplingConfig
from llmlab.gpt.model import GPT, IGNORE, GPTConfig
from llmlab.gpt.text.text_tokenizers import train_bpe
from llmlab.gpt.training import TrainConfig, train

torch.set_num_threads(1)  # the same numbers on every run
RHYME = [
    ("house", "that Jack built"),
    ("malt", "that lay in"),
    ("rat", "that ate"),
    ("cat", "that killed"),
    ("dog", "that worried"),
    ("cow with the crumpled horn", "that tossed"),
    ("maiden all forlorn", "that milked"),
    ("man all tattered and torn", "that kissed"),
    ("priest all shaven and shorn", "that married"),
    ("rooster that crowed in the morn", "that woke"),
    ("farmer sowing his corn", "that kept"),
]


def verse(number: int) -> str:
    """This is the rat that ate the malt that lay in the house that Jack built."""
    parts = (f"the {who} {did}" for who, did in reversed(RHYME[: number + 1]))
    return f"This is {' '.join(parts)}."


rhyme = [verse(number) for number in range(len(RHYME))]
tokenizer = train_bpe(2 * rhyme, vocab_size=1000)  # every word becomes a token
rows = [[*tokenizer.encode(text), tokenizer.end_of_text] for text in rhyme]
tokens_NT = pad_sequence([torch.tensor(row[:-1]) for row in rows], batch_first=True)
targets_NT = pad_sequence([torch.tensor(row[1:]) for row in rows], True, padding_value=IGNORE)


def batches(generator: torch.Generator):
    """Verses drawn so that the second comes half as often as the first, the third a third, …"""
    weights = 1 / torch.arange(1.0, 1 + len(rhyme))
    while True:
        drawn = torch.multinomial(weights, 16, replacement=True, generator=generator)
        yield tokens_NT[drawn], targets_NT[drawn]


torch.manual_seed(0)
model = GPT(GPTConfig(tokenizer.vocab_size, context=96, d_model=48, n_layers=2, n_heads=4))
train(model, batches(torch.Generator().manual_seed(0)), TrainConfig(learning_rate=1e-2, steps=120))
model.eval()


@torch.no_grad()
def next_logits(prompt: str) -> torch.Tensor:
    """Scores of all tokens for the position after the prompt, shape [V]."""
    return model(torch.tensor([tokenizer.encode(prompt)]))[0, -1]


logits_V = next_logits("This is the")
likeliest = logits_V.topk(12).indices
figure, panels = style.subplots(3, 1, height=5.4, sharex=True, sharey=True)
for axes, temperature, colour in zip(panels, (0.3, 1, 3), style.CYCLE, strict=False):
    probability_V = (logits_V / temperature).softmax(dim=0)
    sampler = Sampler(SamplingConfig(temperature=temperature))
    drawn = torch.tensor([sampler.draw(logits_V) for _ in range(2000)])
    axes.bar(range(12), 100 * probability_V[likeliest], color=colour, alpha=0.75)
    shares = 100 * drawn.bincount(minlength=len(logits_V))[likeliest] / 2000
    axes.plot(range(12), shares, ".", color=style.INK)
    axes.set(title=f"temperature {temperature}", ylabel="%")
words = [tokenizer.token_text(index).strip() for index in likeliest.tolist()]
panels[-1].set_xticks(range(12), words, rotation=45, ha="right")
figure

# %% [markdown]
# ## Temperature
#
# A softmax turns the scores $z$, called logits, into probabilities. The temperature $T$ divides the logits first:
#
# $$ p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}} . $$ {#eq-temperature}
#
# At $T = 1$ these are the model's own probabilities. Below one, likely tokens gain on unlikely ones; as $T$ goes to
# zero only the likeliest token is left, which is called **greedy** decoding. Above one the differences shrink, and
# tokens that the model thinks are wrong get their turn:

# %%
# | label: tbl-sampling-texts
# | tbl-cap: "Continuations of *This is the* at four temperatures, with one seed. A dot replaces a character that cannot be shown."
# | echo: true
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.gpt.generation import stream_text


def write(prompt: str, **settings) -> str:
    """Up to 18 tokens that continue the prompt, with dots for what cannot be shown."""
    text = "".join(stream_text(model, tokenizer, prompt, 18, SamplingConfig(**settings)))
    return "".join(c if c.isascii() and c.isprintable() else "·" for c in text)


rows = [[f"{t:g}", write("This is the", temperature=t, seed=1)] for t in (0, 1, 2, 4)]
Markdown(pipe_table(["$T$", "text"], rows))

# %% [markdown]
# ## Top-k and top-p
#
# Thousands of unlikely tokens add up: each of them is almost never drawn, but together they are drawn often, and then
# the text derails. So we cut off the tail before drawing. **Top-k** keeps the $k$ likeliest tokens
# [@fan2018hierarchical]. **Top-p**, or nucleus sampling [@holtzman2019nucleus], keeps the smallest set of likeliest
# tokens whose probabilities add up to at least $p$.

# %%
# | echo: true
# | code-fold: false
from llmlab.gpt.generation import least_logit


def kept(probability_V: torch.Tensor, top_k: int | None = None, top_p: float = 1.0) -> list[int]:
    """The tokens that stay in the draw, likeliest first."""
    order = probability_V.argsort(descending=True)[:top_k]
    share = probability_V[order] / probability_V[order].sum()
    before = share.cumsum(dim=0) - share  # held by those that are likelier
    return order[before < top_p].tolist()


for rule in {"top_k": 3}, {"top_p": 0.9}, {"top_k": 8, "top_p": 0.8}:
    library = logits_V >= least_logit(logits_V, SamplingConfig(**rule))
    assert set(kept(logits_V.softmax(dim=0), **rule)) == set(library.nonzero().flatten().tolist())

# %% [markdown]
# The two differ when the model is sure in one place and unsure in another (@fig-sampling-kept). A fixed $k$ is too
# small for one and too large for the other; a fixed share adapts.

# %%
# | label: fig-sampling-kept
# | fig-cap: "What top-k with $k = 3$ and top-p with $p = 0.9$ keep (blue) and drop (grey) of the ten likeliest tokens. Left: many tokens are possible. Right: only one is."
# | fig-alt: "Four bar charts in two columns. On the left ten bars that fall off slowly: top-k keeps three of them, top-p most. On the right one bar near one hundred per cent: top-k keeps it and two that are almost nothing, top-p keeps it alone."
# | echo: true
figure, panels = style.subplots(2, 2, height=4.6, sharey=True, sharex="col")
prompts = {"This is the": "This is the …", "This is the rat that ate the": "… that ate the …"}
for column, (prompt, name) in zip(panels.T, prompts.items(), strict=True):
    probability_V = next_logits(prompt).softmax(dim=0)
    top = probability_V.topk(10).indices.tolist()
    for axes, rule in zip(column, ({"top_k": 3}, {"top_p": 0.9}), strict=True):
        stays = set(kept(probability_V, **rule))
        colours = [style.BLUE if index in stays else style.FAINT for index in top]
        axes.bar(range(10), 100 * probability_V[top], color=colours, edgecolor=style.MUTED)
        axes.set_title(name if "top_k" in rule else "", size=10)
    column[-1].set_xticks(
        range(10), [tokenizer.token_text(i).strip() for i in top], rotation=60, ha="right"
    )
for axes, name in zip(panels[:, 0], ("top-k, k = 3", "top-p, p = 0.9"), strict=True):
    axes.set_ylabel(f"{name}\nprobability (%)")
figure

# %% [markdown]
# ## Seeds
#
# Drawing needs random numbers, and they come from a seed: the same model, prompt, settings and seed give the same text.
# The library draws with the Gumbel-max trick [@maddison2014astar]: add a random number from a Gumbel distribution to
# each logit and take the largest sum. This is the same as drawing from the softmax, as the dots in
# @fig-sampling-temperature show.

# %%
# | echo: true
# | code-fold: false
for seed in (1, 1, 2, 3):
    print(seed, write("This is the", temperature=1.0, seed=seed))

# %% [markdown]
# ## The KV cache
#
# A model writes one token at a time, and each new token attends to all before it. Their keys and values
# (@sec-attention) never change, because no token depends on a later one. So we compute them once and keep them in the
# **KV cache**, and each step computes one token instead of the whole text. Without the cache, writing $n$ tokens means
# computing $1 + 2 + \dots + n$ of them. We count what passes through the first layer of the model:

# %%
# | label: fig-sampling-cache
# | fig-cap: "Tokens whose keys and values are computed while a text is written. The text is the same with and without the cache."
# | fig-alt: "Two lines over the number of tokens written. Without the cache the line bends upwards to several thousand. With it, it stays so low that it looks flat."
# | echo: true
from itertools import accumulate

from llmlab.gpt.generation import generate


def count(cached: bool) -> tuple[list[int], list[int]]:
    """The ids of a text, and how many tokens each of its steps computed."""
    computed = []
    qkv = model.blocks[0].attention.qkv
    hook = qkv.register_forward_hook(
        lambda _layer, _inputs, output: computed.append(output.numel() // output.shape[-1])
    )
    prompt = tokenizer.encode("This")
    written = list(generate(model, prompt, 90, SamplingConfig(seed=1), cached=cached))
    hook.remove()
    return written, computed


(with_cache, few), (without_cache, many) = count(cached=True), count(cached=False)
assert with_cache == without_cache

figure, axes = style.subplots(height=2.9)
for computed, name in (many, "without the cache"), (few, "with the cache"):
    axes.plot(range(1, len(computed) + 1), list(accumulate(computed)), label=name)
axes.set(xlabel="tokens written", ylabel="tokens computed")
axes.yaxis.set_major_formatter("{x:,.0f}")
axes.legend()
figure

# %%
Markdown(
    f"For {len(few)} tokens the cache saves {sum(many) - sum(few):,} of {sum(many):,} computations in every layer, and the saving grows "
    "with the square of the length. It costs memory: two vectors for each token and layer [@pope2022inference]."
)

# %% [markdown]
# When the text outgrows the model's context, its beginning must go, and all positions change. The library then moves
# the window forward by half a context at once, so it rarely has to fill the cache again.
#
# ## What the book tests
#
# - What do models write at each stage of training, with one seed? @sec-results-pretraining
# - When does a model that has read one story too often recite it? @sec-results-memorization
