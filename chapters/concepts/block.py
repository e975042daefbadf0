# %% [markdown]
# # The block {#sec-block}
#
# A GPT stacks copies of one part, the **block**. A block consists of attention (@sec-attention), which moves
# information between tokens, and an MLP (multilayer perceptron), which works on each token alone. Neither replaces its
# input. Each reads a copy, and *adds* its result to a vector that runs through the whole model, the **residual stream**
# (@fig-block-stream).

# %%
# | label: fig-block-stream
# | fig-cap: "One block, for one token. The thick line is the residual stream: attention and MLP read a normalised copy of it and add to it. Only attention sees other tokens."
# | fig-alt: "A thick horizontal line with two plus signs on it. Before each plus an arrow leaves the line upwards, runs through a box Norm and a box Attention, or Norm and MLP, and comes back down to the plus."
# | echo: false
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from llmlab.book import style


def arrow(axes, start, end, **look):
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=12, shrinkA=0, shrinkB=0, **look
        )
    )


def part(axes, x, name, colour):
    """A box on the detour above the stream."""
    axes.add_patch(FancyBboxPatch((x, 1.65), 1.7, 0.7, boxstyle="round,pad=0.05", color=colour))
    axes.text(x + 0.85, 2, name, ha="center", va="center", color="white", size=10)


figure, axes = style.subplots(height=2.3)
arrow(axes, (-0.4, 0), (11.6, 0), color=style.INK, linewidth=3.5)
axes.text(-0.4, -0.35, "residual stream", va="top", color=style.INK)
for left, name, colour in (0.2, "Attention", style.BLUE), (6.1, "MLP", style.GREEN):
    axes.plot([left, left, left + 0.35], [0, 2, 2], color=style.MUTED, linewidth=1.5)
    part(axes, left + 0.4, "Norm", style.MUTED)
    arrow(axes, (left + 2.15, 2), (left + 2.6, 2), color=style.MUTED, linewidth=1.5)
    part(axes, left + 2.65, name, colour)
    axes.plot([left + 4.4, left + 4.8], [2, 2], color=style.MUTED, linewidth=1.5)
    arrow(axes, (left + 4.8, 2), (left + 4.8, 0.35), color=style.MUTED, linewidth=1.5)
    axes.plot(left + 4.8, 0, "o", markersize=17, color="white", markeredgecolor=style.INK, zorder=5)
    axes.text(left + 4.8, -0.02, "+", ha="center", va="center", size=14, zorder=6)
axes.text(4.0, 2.75, "from earlier tokens", ha="center", va="bottom", size=9, color=style.BLUE)
arrow(axes, (4.0, 2.75), (3.75, 2.42), color=style.BLUE, linewidth=1.5)
axes.set(xlim=(-0.6, 11.8), ylim=(-0.9, 3.2))
axes.axis("off")
figure

# %% [markdown]
# ## In two lines
#
# Let $x$ be the residual stream of all tokens. A block computes
#
# $$ x \leftarrow x + \operatorname{attention}(\operatorname{norm}(x)), $$
# $$ x \leftarrow x + \operatorname{mlp}(\operatorname{norm}(x)) . $$ {#eq-block}
#
# The input of the first block is the sum of two embeddings, one for the token and one for its position. After the last
# block, one more norm and a matrix turn $x$ into a score for each token of the vocabulary. That is the entire model of
# this book, with the architecture of GPT-2 [@radford2019gpt2]. Here it is, built from the library's own parts:

# %%
# | echo: true
# | code-fold: false
import torch

from llmlab.gpt.model import GPT, MLP, Attention, GPTConfig

torch.set_num_threads(1)  # the same numbers on every run
torch.manual_seed(0)
model = GPT(GPTConfig(vocab_size=100, context=16, d_model=64, n_layers=3, n_heads=4)).eval()
tokens_BT = torch.randint(100, (2, 16))

with torch.no_grad():
    x_BTD = model.token_embedding(tokens_BT) + model.position_embedding.weight
    for block in model.blocks:
        x_BTD = x_BTD + block.attention(block.attention_norm(x_BTD))
        x_BTD = x_BTD + block.mlp(block.mlp_norm(x_BTD))
    logits_BTV = model.norm(x_BTD) @ model.token_embedding.weight.T
    torch.testing.assert_close(logits_BTV, model(tokens_BT))

# %% [markdown]
# The second-to-last line uses the token embedding a second time, transposed: the tokens that are likely to come next
# are those whose vectors point where $x$ points. Sharing the matrix is called **weight tying** [@press2017tying].
#
# ## Why a stream
#
# Training sends the gradient back through all blocks. In a plain stack, where each part *replaces* its input, every
# part multiplies the gradient by something, and a product of many factors vanishes or explodes. A sum gives the
# gradient a second path: it passes each plus sign unchanged, from the loss to the first block [@he2015residual]. We
# stack the library's parts, for now without norms, and measure how much gradient arrives at each block.

# %%
# | label: fig-block-gradient
# | fig-cap: "Norm of the gradient that arrives at each of 24 untrained blocks, relative to the last one. Without the residual stream almost nothing reaches the first blocks."
# | fig-alt: "Two lines over the number of the block, on a logarithmic axis. With the residual stream the line is nearly level. Without it the line falls by many orders of magnitude towards the first block."
# | echo: true
from torch import nn

DEPTH, WIDTH = 24, 64
shape = GPTConfig(vocab_size=1, context=16, d_model=WIDTH, n_layers=DEPTH, n_heads=4)


def gradients(residual: bool) -> list[float]:
    """Norm of the gradient at the input of each block of an untrained stack."""
    torch.manual_seed(0)
    x_BTD = torch.randn(4, 16, WIDTH, requires_grad=True)
    inputs = []
    for _ in range(DEPTH):
        inputs.append(x_BTD)
        for part in (Attention(shape), MLP(shape)):
            found_BTD = part(x_BTD)
            x_BTD = x_BTD + found_BTD if residual else found_BTD
    loss = (x_BTD * torch.randn(4, 16, WIDTH)).mean()
    return [gradient.double().norm().item() for gradient in torch.autograd.grad(loss, inputs)]


figure, axes = style.subplots(height=3)
for residual, name, marker in (True, "adds to the stream", "o"), (False, "replaces its input", "s"):
    found = torch.tensor(gradients(residual))
    axes.plot(range(1, DEPTH + 1), found / found[-1], marker=marker, markersize=4, label=name)
axes.set(xlabel="block", ylabel="gradient (last block = 1)", yscale="log")
axes.legend(title="each part")
figure

# %% [markdown]
# ## Why norms
#
# A vector that is only ever added to grows. The norm before each part gives it an input of fixed size, whatever the
# stream has become. For each token, LayerNorm [@ba2016layernorm] subtracts the mean $\mu$ of the vector, divides by its
# standard deviation $\sigma$, and applies a learned scale $\gamma$ and shift $\beta$ ($\epsilon$ is a tiny constant
# that avoids a division by zero):
#
# $$ \operatorname{norm}(x) = \gamma \, \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta . $$ {#eq-layer-norm}

# %%
# | echo: true
# | code-fold: false
x_TD = 5 + 20 * torch.randn(3, 64)
mean_T1, variance_T1 = x_TD.mean(-1, keepdim=True), x_TD.var(-1, keepdim=True, unbiased=False)
by_hand_TD = (x_TD - mean_T1) / torch.sqrt(variance_T1 + 1e-5)
torch.testing.assert_close(by_hand_TD, nn.LayerNorm(64)(x_TD).detach())

# %% [markdown]
# We put the norm *before* each part, off the stream (*pre-norm*). The first transformers [@vaswani2017attention] put it
# on the stream itself. With pre-norm nothing rescales the stream on its way, and deep models train without special care
# [@xiong2020prenorm]. The stream still grows with depth. So GPT-2 starts the matrices that write to it, `out` and
# `down`, with smaller weights: smaller by $1/\sqrt{2L}$ in a model of $L$ blocks, which has $2L$ such matrices.

# %%
# | label: fig-block-growth
# | fig-cap: "Size (standard deviation) of the residual stream after each of 24 untrained blocks. Orange: all matrices start with weights of the same size. Blue: those that write to the stream start smaller, as in GPT-2."
# | fig-alt: "Two rising lines over the number of blocks. One climbs steeply from the start; the other rises slowly and ends far below it."
# | echo: true


@torch.no_grad()
def sizes_of_stream(writer_std: float) -> list[float]:
    """Standard deviation of the stream after each block of an untrained GPT."""
    torch.manual_seed(0)
    deep = GPT(GPTConfig(vocab_size=100, context=16, d_model=256, n_layers=DEPTH, n_heads=4)).eval()
    for block in deep.blocks:
        nn.init.normal_(block.attention.out.weight, std=writer_std)
        nn.init.normal_(block.mlp.down.weight, std=writer_std)
    x_BTD = deep.token_embedding(tokens_BT) + deep.position_embedding.weight
    sizes = [x_BTD.std().item()]
    for block in deep.blocks:
        x_BTD = block(x_BTD)
        sizes.append(x_BTD.std().item())
    return sizes


figure, axes = style.subplots(height=3)
writers = {"smaller, as in GPT-2": 0.02 / (2 * DEPTH) ** 0.5, "all the same": 0.02}
for (name, std), marker in zip(writers.items(), style.MARKERS, strict=False):
    axes.plot(sizes_of_stream(std), marker=marker, markersize=4, label=name)
axes.lines[1].set_color(style.ORANGE)
axes.set(xlabel="blocks passed", ylabel="size of the stream", ylim=(0, None))
axes.legend(title="matrices that write to it")
figure

# %% [markdown]
# ## The MLP
#
# The second part of a block is two matrices with a nonlinearity between them: `up` to four times the width, the GELU
# [@hendrycks2016gelu], and `down` again. Each unit in the middle is a small detector: it fires when the stream points
# in its direction, and then adds its own vector to the stream. Without the nonlinearity the two matrices would collapse
# into one.

# %%
# | label: fig-block-gelu
# | fig-cap: "The nonlinearity: GELU lets large inputs through and suppresses negative ones. It is smooth where ReLU has a corner. Computed by hand, and equal to PyTorch's."
# | fig-alt: "Two curves that are near zero on the left and rise along the diagonal on the right. ReLU has a corner at zero; GELU dips slightly below zero and is smooth."
# | echo: true
x = torch.linspace(-3, 3, 121)
gelu = 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))
torch.testing.assert_close(gelu, nn.functional.gelu(x, approximate="tanh"))

figure, axes = style.subplots(height=2.6)
axes.plot(x, gelu, label="GELU")
axes.plot(x, x.relu(), "--", color=style.MUTED, label="ReLU")
axes.set(xlabel="input", ylabel="output")
axes.legend()
figure

# %% [markdown]
# ## Counting parameters
#
# In a model of width $d$, attention has $4d^2$ weights (`qkv` and `out`) and the MLP $8d^2$ (`up` and `down`). With
# their biases and the two norms a block has $12d^2 + 13d$ parameters. Add the embeddings of $V$ tokens and $C$
# positions, and the last norm:
#
# $$ N = L \, (12 d^2 + 13 d) + (V + C) \, d + 2d . $$ {#eq-parameters}
#
# Without tying, the output matrix is separate and adds $Vd$ parameters.

# %%
# | label: tbl-block-parameters
# | tbl-cap: "The four configurations of `llmlab train`. *Tied* is what the model has. *Untied* counts the matrix shared by embedding and output twice."
# | echo: true
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.gpt.configs import PRESETS


def count(shape: GPTConfig) -> int:
    d = shape.d_model
    return shape.n_layers * (12 * d**2 + 13 * d) + (shape.vocab_size + shape.context) * d + 2 * d


def row(name: str, shape: GPTConfig) -> list[str]:
    tied, untied = count(shape), count(shape) + shape.vocab_size * shape.d_model
    plain = [shape.vocab_size, shape.context, shape.d_model, shape.n_layers, shape.n_heads]
    return [
        name,
        *(f"{number:,}" for number in plain),
        f"{tied / 1e6:.2f}M",
        f"{untied / 1e6:.2f}M",
    ]


shapes = {name: preset.shape for name, preset in PRESETS.items()}
assert count(shapes["micro"]) == GPT(shapes["micro"]).n_parameters()
header = ["name", "$V$", "$C$", "$d$", "$L$", "heads", "tied", "untied"]
Markdown(pipe_table(header, [row(*item) for item in shapes.items()], numeric=range(1, 8)))

# %%
# | label: fig-block-parameters
# | fig-cap: "Where the parameters are, with tying. The MLP has twice as many as attention; each configuration's vocabulary is chosen so that its embedding does not outweigh the rest."
# | fig-alt: "Four stacked horizontal bars, one for each configuration. In each, the MLP has the largest part, attention half as much, and the embeddings between a sixth and a third."
# | echo: true
figure, axes = style.subplots(height=2.7)
names = list(shapes)[::-1]
left = torch.zeros(len(names))
parts = {
    "embeddings": lambda s: (s.vocab_size + s.context) * s.d_model,
    "attention": lambda s: s.n_layers * (4 * s.d_model**2 + 4 * s.d_model),
    "MLP": lambda s: s.n_layers * (8 * s.d_model**2 + 5 * s.d_model),
}
for (name, size_of), colour in zip(
    parts.items(), (style.ORANGE, style.BLUE, style.GREEN), strict=True
):
    share = torch.tensor([100 * size_of(shapes[n]) / count(shapes[n]) for n in names])
    axes.barh(names, share, left=left, color=colour, label=name)
    left += share
axes.set(xlabel="share of all parameters (%)", xlim=(0, 100))
axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
axes.grid(axis="y", visible=False)
figure

# %% [markdown]
# ## What the book tests
#
# - How does the loss fall with the size of the model, from micro up? @sec-results-pretraining
# - What can two layers do that one cannot, because the second reads what the first wrote to the stream
#   [@elhage2021framework]? @sec-results-induction
