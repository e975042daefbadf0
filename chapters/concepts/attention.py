# %% [markdown]
# # Attention {#sec-attention}
#
# A token alone says little; its meaning depends on the others. **Attention** lets each token query the tokens before
# it, and take as much from each as it finds useful. @fig-attention-looks shows an attention head that had one thing to
# learn: after a word with one capital letter and an `=` comes that letter. Nobody told the head where to look. In words
# that it has never seen, the `=` looks at the capital, wherever it is.

# %%
# | label: fig-attention-looks
# | fig-cap: "What the `=` looks at, in three unseen words, after 300 steps of training. The darker a letter's background, the more attention it gets; the number below is its share."
# | fig-alt: "Three rows of seven boxes with the letters of a word and an equals sign. In each row the box of the one capital letter is dark and all others are nearly white."
# | echo: false
from random import Random
from string import ascii_lowercase, ascii_uppercase

import numpy as np
import torch
from IPython.display import Markdown
from matplotlib.patches import Rectangle

from llmlab.book import style
from llmlab.gpt.model import GPT, IGNORE, GPTConfig
from llmlab.gpt.training import TrainConfig, evaluate, train

torch.set_num_threads(1)  # the same numbers on every run
ALPHABET = ascii_lowercase + ascii_uppercase + "="
IDS = {letter: index for index, letter in enumerate(ALPHABET)}


def encode(words: list[str]) -> torch.Tensor:
    """Ids of words of one length, shape [B, T]."""
    return torch.tensor([[IDS[letter] for letter in word] for word in words])


def make_word(random: Random) -> str:
    """Six letters, one of them a capital, and an equals sign."""
    letters = random.choices(ascii_lowercase, k=6)
    place = random.randrange(6)
    letters[place] = letters[place].upper()
    return "".join(letters) + "="


def batches(random: Random):
    """Words and their targets, both [B, T]; only the letter after `=` counts."""
    while True:
        words = [make_word(random) for _ in range(64)]
        capitals = [next(filter(str.isupper, word)) for word in words]
        targets_BT = torch.full((64, 7), IGNORE)
        targets_BT[:, -1] = encode(capitals)[:, 0]
        yield encode(words), targets_BT


torch.manual_seed(0)
model = GPT(GPTConfig(len(ALPHABET), context=7, d_model=32, n_layers=1, n_heads=1))
train(model, batches(Random(0)), TrainConfig(learning_rate=1e-2, steps=300))
model.eval()

words = ["qwertZ=", "paXkmo=", "Hbeddi="]
with torch.no_grad():
    block = model.blocks[0]
    x_BTD = model.token_embedding(encode(words)) + model.position_embedding.weight
    q_BTD, k_BTD, _ = block.attention.qkv(block.attention_norm(x_BTD)).chunk(3, dim=-1)
    weights_BT = (q_BTD[:, -1:] @ k_BTD.mT / 32**0.5).softmax(dim=-1)[:, 0]

figure, axes = style.subplots(height=3.1)
for row, (word, weights) in enumerate(zip(words, weights_BT.tolist(), strict=True)):
    for column, (letter, weight) in enumerate(zip(word, weights, strict=True)):
        x, y = column, -1.5 * row
        axes.add_patch(Rectangle((x, y), 0.94, 0.9, facecolor="white", edgecolor=style.FAINT))
        axes.add_patch(Rectangle((x, y), 0.94, 0.9, facecolor=style.BLUE, alpha=weight))
        colour = "white" if weight > 0.5 else style.INK
        axes.text(x + 0.47, y + 0.43, letter, ha="center", va="center", size=14, color=colour)
        axes.text(x + 0.47, y - 0.1, f"{100 * weight:.0f} %", ha="center", va="top", size=9.5)
axes.set(xlim=(-0.05, 7), ylim=(-3.5, 1))
axes.axis("off")
figure

# %% [markdown]
# ## Query, key, value
#
# Three learned matrices turn the vector of each token into three others. The **query** $q$ says what the token looks
# for, the **key** $k$ what it offers to those that look, and the **value** $v$ what it hands over when it is chosen.
# The dot product of a query and a key measures how well they match. A softmax turns these scores into shares (the
# *attention weights*) that sum to one, and the values are averaged with these shares
# [@vaswani2017attention, equation 1]:
#
# $$ Y = \operatorname{softmax}\!\left( \frac{Q K^\top}{\sqrt{d}} + M \right) V $$ {#eq-attention}
#
# The rows of $Q$, $K$, $V$ and the result $Y$ are tokens, $d$ is the width of a query, and $M$ is the mask, which we
# explain below. Here is the formula in code, for the head above. The model's layer `qkv` computes queries, keys and
# values at once.

# %%
# | echo: true
# | code-fold: false
import math


def attend(q_TK, k_TK, v_TK):
    """The scores, the shares and the averaged values of one head, for T tokens."""
    T, K = q_TK.shape
    score_TT = q_TK @ k_TK.T / math.sqrt(K)
    later_TT = torch.ones(T, T, dtype=torch.bool).triu(1)  # key after query
    weight_TT = score_TT.masked_fill(later_TT, -torch.inf).softmax(dim=-1)
    return score_TT, weight_TT, weight_TT @ v_TK


with torch.no_grad():
    tokens_T = encode(["paXkmo="])[0]
    x_TD = model.token_embedding.weight[tokens_T] + model.position_embedding.weight
    x_TD = block.attention_norm(x_TD)
    q_TK, k_TK, v_TK = block.attention.qkv(x_TD).chunk(3, dim=-1)
    score_TT, weight_TT, mixed_TK = attend(q_TK, k_TK, v_TK)
    by_hand_TD = block.attention.out(mixed_TK)
    library_TD = block.attention(x_TD[None])[0]

torch.testing.assert_close(by_hand_TD, library_TD)
print(f"largest difference: {(by_hand_TD - library_TD).abs().max():.0e}")

# %% [markdown]
# The library calls PyTorch's `scaled_dot_product_attention`, which never stores the table of shares and is much faster
# on long texts. The results differ only by rounding.

# %%
# | label: fig-attention-steps
# | fig-cap: "The two tables in between, with a row for each query and a column for each key. Left, the scores: blue above zero, red below. Right, the shares: keys after the query are masked, and each row sums to one."
# | fig-alt: "Two square heat maps with the letters p a X k m o and an equals sign on both axes. The left one is full. In the right one everything above the diagonal is crossed out, and the bottom row has a single dark cell in the column of the capital X."
# | echo: true
figure, panels = style.subplots(1, 2, height=3.3)
limit = score_TT.abs().max()
panels[0].imshow(score_TT, cmap="RdBu", vmin=-limit, vmax=limit)
panels[1].imshow(weight_TT, cmap="Blues", vmin=0, vmax=1)
panels[1].plot(*torch.ones(7, 7).triu(1).nonzero().T.flip(0), "x", color=style.MUTED, markersize=4)
for axes, title in zip(panels, ("scores", "shares"), strict=True):
    axes.set_xticks(range(7), "paXkmo=")
    axes.set_yticks(range(7), "paXkmo=")
    axes.set(title=title, xlabel="key", ylabel="query")
    axes.grid(visible=False)
figure

# %% [markdown]
# ## The causal mask
#
# A model that predicts the next token must not see it. So the mask $M$ in @eq-attention is $-\infty$ wherever the key
# comes after the query, and the share there becomes exactly zero. The mask also makes training cheap: no token depends
# on a later one, so one pass over a text gives a prediction after *every* token, and the model learns from all of them
# at once. To see this, we replace one of seven random vectors (@fig-attention-causal).

# %%
# | label: fig-attention-causal
# | fig-cap: "How far the output of each token moves when we replace the fourth token. With the mask, the tokens before it do not change."
# | fig-alt: "Bars over seven positions. With the mask there are none at the first three positions. Without the mask there are bars at all seven."
# | echo: true
from torch.nn import functional as F


def mixed_values(x_TD: torch.Tensor, causal: bool) -> torch.Tensor:
    """Attention of the vectors to each other, each its own query, key and value."""
    return F.scaled_dot_product_attention(x_TD[None], x_TD[None], x_TD[None], is_causal=causal)[0]


before_TD = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
after_TD = before_TD.clone()
after_TD[3] = -before_TD[3]
figure, axes = style.subplots(height=2.8)
for shift, causal, name in (-0.2, True, "with the mask"), (0.2, False, "without"):
    moved_TD = mixed_values(after_TD, causal) - mixed_values(before_TD, causal)
    axes.bar([place + shift for place in range(1, 8)], moved_TD.norm(dim=1), width=0.4, label=name)
axes.set(xlabel="position of the token", ylabel="change in output")
axes.legend()
figure

# %% [markdown]
# ## Why divide by $\sqrt d$
#
# The dot product of two random vectors with entries of size one has a standard deviation of $\sqrt d$. Without the
# division, the scores of a wide head would be so far apart at the start that the softmax gives everything to one key.
# And where a softmax is that sure, its gradient is nearly zero and the head learns nothing.

# %%
# | label: fig-attention-scale
# | fig-cap: "The largest of sixteen shares when queries and keys are random: mean over 200 draws. Dotted: an equal share for each key."
# | fig-alt: "Two lines over the width of a head. With the division the largest share stays low at every width. Without it, it rises towards one hundred per cent."
# | echo: true
widths = [4, 16, 64, 256, 1024]
generator = torch.Generator().manual_seed(0)
largest = {"divided by √d": [], "undivided": []}
for width in widths:
    q_NK = torch.randn(200, width, generator=generator)
    k_NSK = torch.randn(200, 16, width, generator=generator)
    score_NS = torch.einsum("nk,nsk->ns", q_NK, k_NSK)
    for name, divisor in zip(largest, (math.sqrt(width), 1), strict=True):
        share_N = (score_NS / divisor).softmax(dim=-1).amax(dim=-1)
        largest[name].append(100 * share_N.mean().item())

figure, axes = style.subplots(height=2.8)
for (name, shares), marker in zip(largest.items(), style.MARKERS, strict=False):
    axes.plot(widths, shares, marker=marker, label=name)
axes.axhline(100 / 16, color=style.MUTED, linestyle=":")
axes.set_xscale("log", base=4)
axes.set_xticks(widths, widths)
axes.set(xlabel="width of the head, d", ylabel="largest share (%)", ylim=(0, 103))
axes.legend()
figure

# %% [markdown]
# ## Attention does not see order
#
# Only the mask in @eq-attention depends on where a key is. Shuffle the keys together with their values, and the last
# query, which may see all of them, gets the very same answer. That is why a GPT adds a learned position vector to the
# vector of each token, as in the code above. Heads that look at "the token before" depend on it.

# %%
# | echo: true
# | code-fold: false
order = torch.tensor([3, 0, 5, 1, 4, 2])
query, keys, values = q_TK[-1], k_TK[:6], v_TK[:6]
answer = (keys @ query / math.sqrt(32)).softmax(0) @ values
shuffled = (keys[order] @ query / math.sqrt(32)).softmax(0) @ values[order]
torch.testing.assert_close(answer, shuffled)

# %% [markdown]
# ## Several heads
#
# One softmax makes one average. To look at two things and keep them apart, a layer has several **heads**: queries, keys
# and values are cut into slices, each slice attends by itself, and the layer `out` reads the results side by side. Four
# heads of width $d/4$ need as many multiplications as one of width $d$. Here is all of it:

# %%
# | echo: true
# | code-fold: false
heads = GPTConfig(len(ALPHABET), context=7, d_model=32, n_layers=1, n_heads=4)
torch.manual_seed(0)
layer = GPT(heads).blocks[0].attention
with torch.no_grad():
    slices = [part.chunk(4, dim=-1) for part in layer.qkv(x_TD).chunk(3, dim=-1)]
    mixed = [attend(q, k, v)[2] for q, k, v in zip(*slices, strict=True)]
    by_hand_TD = layer.out(torch.cat(mixed, dim=-1))
    torch.testing.assert_close(by_hand_TD, layer(x_TD[None])[0])

# %% [markdown]
# We do not decide what each head looks at; training does. Here the answer after `=` is one token for a *pair*: the
# first letter and the last, in this order.

# %%
# | label: fig-attention-heads
# | fig-cap: "What the `=` looks at in each of four heads, on average over 500 unseen words."
# | fig-alt: "A table of four rows, the heads, and seven columns, the positions. Only the columns of the first and the last letter are dark, in a different proportion in each row."
# | echo: true


def pairs(generator: torch.Generator, n_words: int):
    """Words of six of eight letters and `=`, and as target the id of the pair of their ends."""
    letters_NT = torch.randint(8, (n_words, 6), generator=generator)
    tokens_NT = F.pad(letters_NT, (0, 1), value=8)
    targets_NT = torch.full((n_words, 7), IGNORE)
    targets_NT[:, -1] = 9 + 8 * letters_NT[:, 0] + letters_NT[:, -1]
    return tokens_NT, targets_NT


torch.manual_seed(0)
four = GPT(GPTConfig(9 + 64, context=7, d_model=32, n_layers=1, n_heads=4))
generator = torch.Generator().manual_seed(0)
train(four, iter(lambda: pairs(generator, 64), None), TrainConfig(learning_rate=1e-2, steps=200))
tokens_NT, targets_NT = pairs(generator, 500)
accuracy = evaluate(four, tokens_NT, targets_NT).accuracy

with torch.no_grad():
    x_NTD = four.token_embedding(tokens_NT) + four.position_embedding.weight
    block = four.blocks[0]
    q_NTD, k_NTD, _ = block.attention.qkv(block.attention_norm(x_NTD)).chunk(3, dim=-1)
    asked = zip(q_NTD[:, -1:].chunk(4, dim=-1), k_NTD.chunk(4, dim=-1), strict=True)
    share_HNT = torch.stack([(q @ k.mT / math.sqrt(8)).softmax(-1)[:, 0] for q, k in asked])

figure, axes = style.subplots(height=2.9)
mean_HT = 100 * share_HNT.mean(dim=1)
axes.imshow(mean_HT, cmap="Blues", vmin=0, vmax=100, aspect="auto")
for (head, place), share in np.ndenumerate(mean_HT.numpy()):
    colour = "white" if share > 60 else style.INK
    axes.text(place, head, f"{share:.0f} %", ha="center", va="center", color=colour, size=9)
axes.set_xticks(range(7), ["1st", "2nd", "3rd", "4th", "5th", "6th", "="])
axes.set_yticks(range(4), range(1, 5))
axes.set(xlabel="letter", ylabel="head")
axes.grid(visible=False)
figure

# %%
Markdown(
    f"With these four averages the model gets {100 * accuracy:.0f} % of unseen pairs right. No head was told its "
    "part; other initial weights divide the work differently."
)

# %% [markdown]
# ::: {.callout-note}
# An attention share tells where a head looked, not what it took from there or whether the model used it. A claim about
# what a head is *for* needs a test, such as a score on texts made for the purpose.
# :::
#
# ## What the book tests
#
# - Some heads look at the token before. Others find the last place where the current token occurred and copy what came
#   next (*induction heads* [@olsson2022induction]). When do they appear, and how many layers do they need?
#   @sec-results-induction
