# %% [markdown]
# # QLoRA, and what four bits keep {#sec-qlora}
#
# LoRA (@sec-lora) trains few parameters, but the frozen weights still have to be in memory, at 16 or 32 bits each.
# QLoRA [@dettmers2023qlora] stores them in four bits: each weight becomes one of sixteen levels. Which sixteen? The
# weights of a trained network follow roughly a bell curve, so the levels should be close together where there are many
# weights. NF4 (4-bit NormalFloat), QLoRA's data type, takes them from the bell curve itself (@fig-qlora-levels).

# %%
# | label: fig-qlora-levels
# | fig-cap: "The sixteen levels of NF4, taken from a normal distribution. On each side of zero, neighbouring levels enclose slices of equal area; the curve is scaled so that the outermost levels are −1 and 1. Vermilion marks the level zero, which the two sides share."
# | fig-alt: "A bell curve, cut by sixteen vertical lines at the levels: dense near zero, wide apart towards minus one and one. The slices between the lines alternate in two shades of blue."
import itertools

import numpy as np
from scipy.stats import norm

from llmlab.book import style
from llmlab.finetune.model.nf4 import OFFSET, nf4_levels

levels = np.array(nf4_levels())
spread = 1 / norm.ppf(OFFSET)
x = np.linspace(-1.15, 1.15, 800)
figure, axes = style.subplots(height=2.8)
axes.plot(x, norm.pdf(x, scale=spread), color=style.INK)
for index, (low, high) in enumerate(itertools.pairwise(levels)):
    inside = (low <= x) & (x <= high)
    shade = 0.45 if index % 2 else 0.2
    axes.fill_between(
        x[inside], norm.pdf(x[inside], scale=spread), color=style.BLUE, alpha=shade, linewidth=0
    )
axes.vlines(levels, 0, norm.pdf(levels, scale=spread), color=style.BLUE, linewidth=1.2)
axes.vlines(0, 0, norm.pdf(0, scale=spread), color=style.VERMILION, linewidth=1.8)
axes.plot(levels, np.full(16, -0.03), "^", color=style.BLUE, clip_on=False)
axes.set(xlabel="weight / largest weight in its block", ylim=(-0.05, None), yticks=[])
axes.spines["left"].set_visible(False)
figure

# %% [markdown]
# ## Sixteen levels from one curve
#
# Cut the area under the curve into equal slices, seven to the left of zero and eight to the right, and put a level on
# every cut. There is one trap: the last cut would be at infinity, so the authors stop a little before the end, at the
# quantile in `OFFSET`. Then scale everything so that the outermost levels are −1 and 1. Zero is a level of its own, so
# that weights of exactly zero stay zero; that is why one side has one level more than the other.

# %%
# | echo: true
from IPython.display import Markdown

above = norm.ppf(np.linspace(OFFSET, 0.5, 9)[:-1])  # eight levels, the outermost first
below = -norm.ppf(np.linspace(OFFSET, 0.5, 8)[:-1])  # seven, the other way
drawn = np.sort([*below, 0.0, *above]) / norm.ppf(OFFSET)
Markdown(f"`{np.array2string(drawn, precision=3, separator=', ', max_line_width=72)}`")

# %% [markdown]
# These are the numbers that the library `bitsandbytes` stores in a table; a test of this lab compares them.
#
# ## Blocks, each with its own scale
#
# The levels reach from −1 to 1, but weights do not. So a tensor is cut into blocks of 64 weights, and every block is
# divided by its largest absolute weight. We store a four-bit number per weight, and one **constant** per block to
# multiply by later. Let us do this to a real model: the tiny GPT of @sec-lora, trained to reverse four letters.

# %%
# | echo: true
# | code-fold: show
# | code-summary: "Train a tiny GPT"
import copy

import torch

from llmlab.finetune.tasks.batches import encode, epochs
from llmlab.finetune.tasks.skills import TOKENIZER, Item
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.training import TrainConfig, evaluate, train

torch.set_num_threads(1)  # the same numbers on every run
torch.manual_seed(0)
words = ["".join(letters) for letters in itertools.product("abcd", repeat=4)]
reverse = encode([Item(f"{word}=", word[::-1]) for word in words])
rotate = encode([Item(f"{word}=", word[1:] + word[0]) for word in words])

tiny = GPTConfig(TOKENIZER.vocab_size, context=12, d_model=64, n_layers=2, n_heads=4)
base = GPT(tiny)
history = train(base, epochs(reverse, 64, seed=0), TrainConfig(learning_rate=3e-3, steps=200))

# %%
# | label: fig-qlora-block
# | fig-cap: "One block of 64 weights of the trained model, before (circles) and after (crosses) quantisation to four bits. The grey lines are the levels available to the block: the sixteen of NF4, times its constant."
# | fig-alt: "Sixty-four small circles scattered around zero, each with a cross on the nearest of sixteen horizontal grey lines. The lines are dense near zero."
# | echo: true
from llmlab.finetune.model.nf4 import dequantise_nf4, quantise_nf4

weights = base.blocks[0].mlp.up.weight.detach()
kept = dequantise_nf4(quantise_nf4(weights, block_size=64))

block, block_kept = weights.flatten()[:64], kept.flatten()[:64]
figure, axes = style.subplots(height=3)
axes.hlines(levels * block.abs().max().item(), -1, 64, color=style.FAINT, linewidth=1)
axes.plot(block, "o", color=style.BLUE, markerfacecolor="none", label="weight")
axes.plot(block_kept, "x", color=style.VERMILION, label="in four bits")
axes.set(xlabel="position in the block", ylabel="weight", xlim=(-1, 64))
axes.grid(visible=False)
axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=2)
figure

# %%
relative = ((kept - weights).norm() / weights.norm()).item()
Markdown(
    f"In this layer the weights change by {100 * relative:.1f} % of their norm. That sounds like a lot for a model "
    "that is meant to stay as it is. But the errors go both ways, and many of them cancel in each product."
)

# %% [markdown]
# Are the levels well chosen? @fig-qlora-used counts how often all layers of the model use each level, and does the same
# for sixteen evenly spaced levels. A level that is hardly used wastes its share of the four bits. Look at the errors,
# too: even use is not the same as the smallest error. @yoshida2023nf4 shows that NF4 is not quite optimal, because the
# distribution of the scaled weights depends on the block size; in small blocks this matters little.

# %%
# | label: fig-qlora-used
# | fig-cap: "How often each of sixteen levels is used by the weights of the tiny model: NF4's levels (left) and evenly spaced ones (right). The dashed line is equal use. Errors are norms of the change over norms of the weights."
# | fig-alt: "Two bar charts. Left: bars of similar height for NF4. Right: a hump, with tall bars in the middle and nearly none at the ends, for even levels."
# | echo: true
from llmlab.finetune.model.nf4 import Blocks

layers = [layer for layer in base.blocks.modules() if isinstance(layer, torch.nn.Linear)]
all_weights = torch.cat([layer.weight.detach().flatten() for layer in layers])
figure, (left, right) = style.subplots(1, 2, height=2.8, sharey=True)
for axes, name, choice in (
    (left, "NF4", nf4_levels()),
    (right, "evenly spaced", tuple(np.linspace(-1, 1, 16))),
):
    blocks = Blocks.of(all_weights, choice, block_size=64)
    used = torch.bincount(blocks.numbers_KW.flatten(), minlength=16) / blocks.count
    error = (blocks.values() - all_weights).norm() / all_weights.norm()
    axes.bar(range(16), 100 * used, color=style.BLUE)
    axes.axhline(100 / 16, color=style.MUTED, linestyle="--", linewidth=1.2)
    axes.set(title=f"{name}: error {100 * error:.1f} %", xlabel="level", xticks=[0, 7, 15])
left.set_ylabel("weights (%)")
figure

# %% [markdown]
# ## The price of a scale
#
# One 32-bit constant for 64 weights costs half a bit per weight: four bits are really four and a half. Larger blocks
# would be cheaper, but then one large weight takes the fine levels away from more of its neighbours. **Double
# quantisation** solves this: the constants are numbers like any others, so they too are quantised, to eight bits, in
# groups of 256 with one constant each.
#
# $$ 4 + \frac{32}{64} = 4.5 \qquad\text{becomes}\qquad 4 + \frac{8}{64} + \frac{32}{64 \cdot 256} \approx 4.127 $$ {#eq-qlora-bits}
#
# @fig-qlora-blocks shows the bits and the error of each choice.

# %%
# | label: fig-qlora-blocks
# | fig-cap: "Bits per weight and error for blocks of 16 to 1,024 weights, with 32-bit constants (circles) and 8-bit ones (squares). Lower and further left is better."
# | fig-alt: "Two curves of error over bits per weight. Both fall as bits grow; the curve of double quantisation lies to the left, so it reaches the same error with fewer bits."
# | echo: true
sizes = (16, 32, 64, 128, 256, 512, 1024)
figure, axes = style.subplots(height=3)
for index, (label, double) in enumerate(
    {"32-bit constants": False, "8-bit constants": True}.items()
):
    coded = [quantise_nf4(all_weights, size, double=double) for size in sizes]
    bits = [one.bits_per_weight() for one in coded]
    errors = [(dequantise_nf4(one) - all_weights).norm() / all_weights.norm() for one in coded]
    axes.plot(bits, 100 * torch.tensor(errors), marker=style.MARKERS[index], label=label)
    place = sizes.index(64)
    axes.annotate("64", (bits[place], 100 * errors[place]), (4, 4), textcoords="offset points")
axes.set(xlabel="bits per weight", ylabel="error (%)")
axes.legend()
figure

# %% [markdown]
# ## Where the gradient flows
#
# A QLoRA layer restores its weights whenever it needs them, multiplies, and discards them again:
#
# $$ h = \mathrm{dequantise}(C)\, x + s\, B A x $$ {#eq-qlora}
#
# A small step cannot move a weight from one of sixteen levels to the next, so the four-bit numbers $C$ are not trained.
# But the gradient passes *through* them: the gradient of $x$ is multiplied by the same dequantised weight, on its way
# to the adapters of the layers below (@fig-qlora-flow).

# %%
# | label: fig-qlora-flow
# | fig-cap: "One layer of QLoRA. Forward (black): the four-bit numbers are dequantised for this product, and the adapter's output is added. Backward (vermilion): the gradient passes through both paths, but only $A$ and $B$ are updated."
# | fig-alt: "A diagram: the input x goes through a grey box, the dequantised weight, which a box of four-bit numbers above it feeds, and below through two blue boxes A and B; both ways meet at a plus and give h. Vermilion arrows go back from h along both ways."
figure, axes = style.subplots(height=2.9)


def box(x, y, text, colour):
    """A labelled box of the diagram."""
    look = {"boxstyle": "round,pad=0.5", "facecolor": colour, "edgecolor": "none"}
    axes.text(x, y, text, ha="center", va="center", color="white", size=10, bbox=look)


def arrow(start, end, colour, dy=0.0):
    """An arrow between two places, moved up by `dy`."""
    (x0, y0), (x1, y1) = start, end
    look = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x1, y1 + dy), (x0, y0 + dy), arrowprops=look)


axes.text(0, 1.1, "$x$", size=14, ha="center", va="center")
axes.text(10, 1.1, "$h$", size=14, ha="center", va="center")
axes.text(8.4, 1.1, "+", size=16, ha="center", va="center")
box(4.4, 3.5, "4-bit numbers $C$ and constants", style.MUTED)
box(4.4, 2.0, "dequantised weight", style.MUTED)
box(2.9, 0.2, "$A$", style.BLUE)
box(5.9, 0.2, "$B$", style.BLUE)
arrow((4.4, 3.1), (4.4, 2.4), style.MUTED)
way = (
    ((0.3, 1.3), (2.6, 2.0)), ((6.2, 2.0), (8.15, 1.3)),
    ((0.3, 0.95), (2.4, 0.3)), ((3.4, 0.3), (5.4, 0.3)), ((6.4, 0.3), (8.15, 0.95)),
    ((8.65, 1.15), (9.7, 1.15)),
)  # fmt: skip
for start, end in way:
    arrow(start, end, style.INK)
    arrow(end, start, style.VERMILION, dy=-0.2)
axes.set(xlim=(-0.4, 10.4), ylim=(-0.3, 4))
axes.axis("off")
figure

# %% [markdown]
# The lab uses the layers of `bitsandbytes`. One step on the tiny model shows which parameters get a gradient:

# %%
# | echo: true
from llmlab.book.markup import pipe_table
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.qlora import QloraSpec
from llmlab.gpt.model import next_token_loss

adapter = LoraSpec(rank=8, alpha=16)
four_bits = QloraSpec(adapter).adapt(copy.deepcopy(base), seed=0)
loss = next_token_loss(four_bits(rotate.tokens_NT), rotate.targets_NT)
loss.backward()

# %%
# | label: tbl-qlora-gradients
# | tbl-cap: "Parameters of one layer of the tiny model under QLoRA, after one backward pass. Two weights share one byte. The gradient of $A$ is zero in the first step, because $B$ is still zero."
rows = [
    [
        f"`{name}`",
        " × ".join(map(str, parameter.shape)),
        str(parameter.dtype).removeprefix("torch."),
        f"{parameter.nbytes:,}",
        "none: frozen" if parameter.grad is None else f"{parameter.grad.norm():.3f}",
    ]
    for name, parameter in four_bits.blocks[0].mlp.up.named_parameters()
]
Markdown(pipe_table(["parameter", "shape", "type", "bytes", "norm of gradient"], rows, [3, 4]))

# %% [markdown]
# Does it learn? We teach the model to rotate the letters instead of reversing them, once on the original base model and
# once on the base model in four bits.

# %%
# | label: fig-qlora-learning
# | fig-cap: "Loss while the tiny model learns to rotate words, with LoRA on the original base model and on the base model in four bits. Live demonstration, one run each."
# | fig-alt: "Two falling curves that lie close together."
# | echo: true
figure, axes = style.subplots(height=2.8)
summary = []
config = TrainConfig(learning_rate=1e-2, steps=150, log_every=5)
for name, method in {"LoRA": adapter, "QLoRA": QloraSpec(adapter)}.items():
    model = method.adapt(copy.deepcopy(base), seed=0)
    untrained = evaluate(model, reverse.tokens_NT, reverse.targets_NT).accuracy
    curve = train(model, epochs(rotate, 64, seed=1), config).curve("loss")
    right = evaluate(model, rotate.tokens_NT, rotate.targets_NT).accuracy
    axes.plot(*zip(*curve, strict=True), label=name)
    summary.append(
        f"{name} reverses {100 * untrained:.0f} % of the words before training and rotates "
        f"{100 * right:.0f} % after it."
    )
axes.set(xlabel="step", ylabel="loss (nats per token)", yscale="log")
axes.legend()
figure

# %%
Markdown(" ".join(summary))

# %% [markdown]
# ## Where the memory goes
#
# Training keeps five things besides the weights: the constants of four-bit weights, the adapter, the gradients, the
# optimizer state (two numbers per trained weight, @sec-optimizer-state), and the **activations**, which the forward
# pass stores for the backward pass. All of this follows from shapes, so we can predict it before we load a model.
# @tbl-qlora-memory does so for the book's laptop-scale GPT and compares it with a real step.

# %%
# | label: tbl-qlora-memory
# | tbl-cap: "Memory of a step on 32 sequences of 8 tokens, in KiB: predicted from shapes / measured. Laptop-scale GPT (width 128, four blocks), rank 8, in 32 bits."
# | echo: true
from dataclasses import asdict

from llmlab.finetune.model.methods import Full
from llmlab.finetune.model.qlora import FourBit
from llmlab.finetune.observe.memory import measure_memory, predict_memory
from llmlab.gpt.training import Trainer

laptop = GPTConfig(TOKENIZER.vocab_size, context=32, d_model=128, n_layers=4, n_heads=4)
tokens = torch.zeros(32, 8, dtype=torch.long)
methods = {
    "full": Full(),
    "LoRA": adapter,
    "QLoRA, single": QloraSpec(adapter, FourBit(double_quantisation=False)),
    "QLoRA, double": QloraSpec(adapter),
}
columns = []
for method in methods.values():
    predicted = predict_memory(GPT(laptop), method, tuple(tokens.shape))
    trainer = Trainer(method.adapt(GPT(laptop), seed=0), TrainConfig(learning_rate=1e-3, steps=1))
    measured = measure_memory(trainer, (tokens, tokens))
    columns.append(
        [
            (one / 2**10, other / 2**10)
            for one, other in zip(
                (*asdict(predicted).values(), predicted.total),
                (*asdict(measured).values(), measured.total),
                strict=True,
            )
        ]
    )
parts = [*asdict(predicted), "all"]
rows = [
    [part, *(f"{one:,.0f} / {other:,.0f}" for one, other in cells)]
    for part, cells in zip(parts, zip(*columns, strict=True), strict=True)
]
Markdown(pipe_table(["part", *methods], rows, numeric=range(1, 5)))

# %% [markdown]
# Two things may surprise. The adapter makes gradients and optimizer state small, and four bits make the weights small,
# but *neither* shrinks the activations: the gradient still has to pass through every layer. And in such a small model
# the activations are most of what is left. In a large model it is the other way round.
#
# A model that consists only of shapes takes no memory, so we can ask about seven billion parameters, such as the 6.7B
# model of the GPT-3 paper [@brown2020gpt3]:

# %%
# | label: tbl-qlora-large
# | tbl-cap: "Predicted memory in GiB for a GPT of the shape of GPT-3 6.7B in bfloat16, rank 16, on one sequence of 512 tokens. No such model was loaded."
# | echo: true
with torch.device("meta"):
    large = GPT(GPTConfig(50_257, context=2048, d_model=4096, n_layers=32, n_heads=32))
large = large.to(torch.bfloat16)
wide = LoraSpec(rank=16, alpha=32)
predictions = {
    name: predict_memory(large, method, (1, 512), precision="bfloat16")
    for name, method in {"full": Full(), "LoRA": wide, "QLoRA": QloraSpec(wide)}.items()
}
rows = [
    [part, *(f"{asdict(one)[part] / 2**30:.2f}" for one in predictions.values())]
    for part in asdict(predictions["full"])
]
rows.append(["all", *(f"{one.total / 2**30:.2f}" for one in predictions.values())])
Markdown(pipe_table(["part", *predictions], rows, numeric=range(1, 4)))

# %% [markdown]
# QLoRA's recipe has a third saving, for GPUs only: *paged* optimizers, which move their state to CPU memory while a
# long sequence needs the GPU's memory. On a CPU there is nothing to page to.
#
# ::: {.callout-note}
# What do four bits cost? Time: every product dequantises its weight first, twice per step, and our machine has no
# four-bit arithmetic to win the time back. And possibly accuracy: the levels suit weights that follow a bell curve, and
# one outlier in a block makes the levels coarse for its neighbours. @dettmers2023qlora found no loss in models of
# billions of parameters, whose adapters learn to compensate for the rounding. A small model has less to spare.
# :::
#
# ## What the book tests
#
# - Do four-bit weights, or eight-bit constants, cost accuracy in our small model? What do they save in memory, and what
#   do they cost in time? @sec-results-qlora-basic
# - What does LoRA alone lose against full fine-tuning? @sec-results-full
