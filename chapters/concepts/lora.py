# %% [markdown]
# # LoRA, and why low rank works {#sec-lora}
#
# Fine-tuning changes the weights of a model a little. LoRA (low-rank adaptation) [@hu2021lora] bets that this change is
# *simple*: that a large matrix of changes can be written as the product of two thin ones. @fig-lora-idea shows the bet.
# The frozen matrix has one number per pair of input and output; the *adapter* next to it has only the numbers of its
# two thin matrices.

# %%
# | label: fig-lora-idea
# | fig-cap: "The idea of LoRA: the weights $W_0$ stay frozen (grey), and only two thin matrices $A$ and $B$ are trained (blue). Their product has the shape of $W_0$, but at most $r$ independent directions."
# | fig-alt: "A large grey square labelled W zero, frozen, plus a tall thin blue rectangle labelled B times a wide thin blue rectangle labelled A."
from matplotlib.patches import Rectangle

from llmlab.book import style


def matrix(axes, x, y, width, height, colour, name, note):
    """A matrix as a rectangle with its name inside and a note below."""
    axes.add_patch(Rectangle((x, y), width, height, color=colour))
    axes.text(x + width / 2, y + height / 2, name, ha="center", va="center", color="white", size=13)
    axes.text(x + width / 2, y - 0.25, note, ha="center", va="top", size=9)


figure, axes = style.subplots(height=2.5)
matrix(axes, 0, 0, 4, 4, style.MUTED, "$W_0$", "frozen\n$d_{out} × d_{in}$")
axes.text(4.8, 2, "+", size=18, ha="center", va="center")
matrix(axes, 5.6, 0, 0.8, 4, style.BLUE, "$B$", "trained\n$d_{out} × r$")
axes.text(7, 2, "×", size=16, ha="center", va="center")
matrix(axes, 7.6, 3.2, 4, 0.8, style.BLUE, "$A$", "trained, $r × d_{in}$")
axes.set(xlim=(-0.3, 12), ylim=(-1.4, 4.2), aspect="equal")
axes.axis("off")
figure

# %% [markdown]
# ## In one formula
#
# A linear layer of the model computes $W_0 x$. With LoRA it computes
#
# $$ h = W_0 x + s \, B A x $$ {#eq-lora}
#
# where $A$ has the shape $r \times d_{in}$, $B$ the shape $d_{out} \times r$, and $s$ is a fixed scale. The **rank**
# $r$ is the width of the adapter. Training starts with $B = 0$, so the model starts out exactly as it was; only $A$ and
# $B$ receive gradients. After training, $s B A$ can be added to $W_0$, and the model is as fast as before.
#
# ## What it saves
#
# An adapter on one layer has $r \, (d_{in} + d_{out})$ parameters instead of $d_{in} \, d_{out}$. Our GPT (a small
# GPT-2 [@radford2019gpt2]) has four linear layers in each block, and in this book each of them gets an adapter unless a
# chapter says otherwise. The book's own adapter is a module of some twenty lines (`LoraLinear` in
# `llmlab.finetune.model.lora`). A test trains it next to the one in the `peft` library [@mangrulkar2022peft] and
# compares the two, loss by loss.

# %%
# | label: tbl-lora-parameters
# | tbl-cap: "Trained parameters of an adapter on every linear layer of the book's laptop-scale GPT (width 128, four blocks)."
# | echo: true
import torch
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.finetune.tasks.skills import TOKENIZER
from llmlab.gpt.model import GPT, GPTConfig

gpt = GPT(GPTConfig(TOKENIZER.vocab_size, context=32, d_model=128, n_layers=4, n_heads=4))
layers = [layer for layer in gpt.blocks.modules() if isinstance(layer, torch.nn.Linear)]
rows = []
for rank in (1, 2, 4, 8, 16, 32, 64):
    trained = sum(rank * (layer.in_features + layer.out_features) for layer in layers)
    rows.append([str(rank), f"{trained:,}", f"{100 * trained / gpt.n_parameters():.1f} %"])
Markdown(
    pipe_table(["rank", "trained parameters", "share of the model's"], rows, numeric=[0, 1, 2])
)

# %% [markdown]
# In a small model a large rank saves little: the last rows of @tbl-lora-parameters train a good part of the model. In a
# model a hundred times wider, the same ranks train a fraction of a percent.
#
# ## Is a real change of weights simple?
#
# We can check the bet. We take a tiny GPT, teach it to reverse four letters (`abcd=` → `dcba`), and then fine-tune all
# matrices of its blocks, without any adapter, to rotate them instead (`abcd=` → `bcda`). We then know the change
# $\Delta W$ of each matrix exactly, and its singular values say how many directions it uses.

# %%
# | echo: true
# | code-fold: show
# | code-summary: "Train, fine-tune, and keep the change of every matrix"
import itertools

from llmlab.finetune.tasks.batches import encode, epochs
from llmlab.finetune.tasks.skills import Item
from llmlab.gpt.training import TrainConfig, evaluate, train

torch.set_num_threads(1)  # the same numbers on every run
torch.manual_seed(0)
words = ["".join(letters) for letters in itertools.product("abcd", repeat=4)]
reverse = encode([Item(f"{word}=", word[::-1]) for word in words])
rotate = encode([Item(f"{word}=", word[1:] + word[0]) for word in words])

tiny = GPTConfig(TOKENIZER.vocab_size, context=12, d_model=64, n_layers=2, n_heads=4)
model = GPT(tiny)
train(model, epochs(reverse, 64, seed=0), TrainConfig(learning_rate=3e-3, steps=200))

matrices = {
    name: parameter
    for name, parameter in model.named_parameters()
    if parameter.ndim == 2 and name.startswith("blocks")
}
for name, parameter in model.named_parameters():
    parameter.requires_grad_(name in matrices)
before = {name: matrix.detach().clone() for name, matrix in matrices.items()}
train(model, epochs(rotate, 64, seed=1), TrainConfig(learning_rate=1e-3, steps=100))
change = {name: matrix.detach() - before[name] for name, matrix in matrices.items()}

# %%
# | label: fig-lora-spectrum
# | fig-cap: "Share of a weight change in its largest directions (share of the squared singular values). Each blue line is one matrix of the fine-tuned model; the grey line is a random matrix with the shape of the largest one."
# | fig-alt: "Blue lines rise steeply and reach most of the change within some ten of sixty-four directions; the grey line of a random matrix rises slowly, almost in proportion to the number of directions."


def held(matrix: torch.Tensor) -> torch.Tensor:
    """Share of a matrix's squared entries in its first k directions, for every k."""
    squared = torch.linalg.svdvals(matrix) ** 2
    return squared.cumsum(0) / squared.sum()


figure, axes = style.subplots()
for delta in change.values():
    axes.plot(range(1, 65), 100 * held(delta), color=style.BLUE, alpha=0.6, linewidth=1.3)
noise = torch.randn(256, 64, generator=torch.Generator().manual_seed(0))
axes.plot(range(1, 65), 100 * held(noise), color=style.MUTED, linewidth=2)
axes.text(14, 91, "changes by fine-tuning", color=style.BLUE)
axes.text(34, 52, "a random matrix", color=style.MUTED)
axes.set(xlabel="directions kept", ylabel="share of the change (%)", ylim=(0, 103))
figure

# %%
needed = [int((held(delta) < 0.9).sum()) + 1 for delta in change.values()]
noise_needed = int((held(noise) < 0.9).sum()) + 1
Markdown(
    f"It takes only {min(needed)} to {max(needed)} of 64 directions to hold nine tenths of a change; a random matrix "
    f"needs {noise_needed}. The change is simple, although nothing forced it to be."
)

# %% [markdown]
# Does the model need the rest? We keep only the largest $r$ directions of every change, discard the others, and let the
# model rotate words again. No matrix of rank $r$ is closer to the change [@eckart1936approximation].

# %%
# | label: fig-lora-truncated
# | fig-cap: "Words rotated correctly when only the largest $r$ directions of every change are kept. Live demonstration, one run."
# | fig-alt: "Accuracy rises from about a quarter at rank one to nearly all words at rank eight and stays there."
# | echo: true


def best_of_rank(matrix: torch.Tensor, rank: int) -> torch.Tensor:
    """The nearest matrix of this rank (Eckart and Young 1936)."""
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    return u[:, :rank] * s[:rank] @ vh[:rank]


ranks, right = (1, 2, 4, 8, 16, 32, 64), []
for rank in ranks:
    with torch.no_grad():
        for name, parameter in matrices.items():
            parameter.copy_(before[name] + best_of_rank(change[name], rank))
    right.append(evaluate(model, rotate.tokens_NT, rotate.targets_NT).accuracy)

figure, axes = style.subplots(height=2.8)
axes.plot(ranks, [100 * share for share in right], marker="o")
axes.set_xscale("log", base=2)
axes.set_xticks(ranks, ranks)
axes.set(
    xlabel="directions kept in every matrix, r", ylabel="words rotated right (%)", ylim=(0, 103)
)
figure

# %% [markdown]
# So low rank works here, and the usual explanation is this: a pretrained model already computes nearly everything that
# the new task needs, and fine-tuning has only a few directions to add. @aghajanyan2020intrinsic found the same from
# another side: large pretrained models can be fine-tuned inside a random subspace of surprisingly few dimensions.
#
# ::: {.callout-note}
# The bet is not always won. On code and mathematics with much data, @biderman2024lora measured that full fine-tuning
# changes the weights with a rank ten to a hundred times that of a usual adapter, and that LoRA then learns less (and
# forgets less). When there is more to learn than the adapter can hold, the rank matters.
# :::
#
# ## When the rank is too small
#
# What happens then? Let the wanted change be a matrix with a few strong directions and many weak ones, and train $B A$
# towards it by gradient descent. Each rank reaches its best approximation and gets no further (@fig-lora-floor).

# %%
# | label: fig-lora-floor
# | fig-cap: "Training $BA$ towards a wanted change whose singular values halve from one to the next. Dashed: the smallest error that each rank allows."
# | fig-alt: "Four falling curves for ranks one to four; each levels off at its dashed line, lower ranks higher up."
# | echo: true
generator = torch.Generator().manual_seed(0)
u, _ = torch.linalg.qr(torch.randn(32, 32, generator=generator))
v, _ = torch.linalg.qr(torch.randn(32, 32, generator=generator))
sizes = 0.5 ** torch.arange(32.0)
wanted = u * sizes @ v.T


def errors_while_training(rank: int, steps: int = 500) -> list[float]:
    """Distance between B A and the wanted change after each step."""
    a = (torch.randn(rank, 32, generator=generator) / 32**0.5).requires_grad_()
    b = torch.zeros(32, rank, requires_grad=True)
    optimizer = torch.optim.Adam([a, b], lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    errors = []
    for _ in range(steps):
        error = (b @ a - wanted).norm()
        optimizer.zero_grad()
        error.square().backward()
        optimizer.step()
        schedule.step()
        errors.append(error.item())
    return errors


figure, axes = style.subplots()
for index, rank in enumerate((1, 2, 3, 4)):
    axes.plot(errors_while_training(rank), color=style.CYCLE[index], label=f"rank {rank}")
    axes.axhline(sizes[rank:].norm(), color=style.CYCLE[index], linestyle="--", linewidth=1)
axes.set(xlabel="step", ylabel="error", yscale="log")
axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))
figure

# %% [markdown]
# ## The scale, and why it matters for fair comparisons
#
# The scale $s$ in @eq-lora is usually $\alpha / r$ with a fixed $\alpha$. @kalajdzievski2023rslora argued for
# $\alpha / \sqrt{r}$ (rsLoRA), because dividing by $r$ slows learning at high rank. The rule decides how far one step
# moves the model. Here is the first step of Adam [@kingma2014adam] on a layer of 128 inputs, at every rank with the
# *same* learning rate:

# %%
# | label: fig-lora-first-step
# | fig-cap: "How far one Adam step with one learning rate moves a layer's output, relative to rank 1. Mean over 20 random initialisations of $A$; bars are 95 % confidence intervals."
# | fig-alt: "Under alpha over r the size of the first step is the same at every rank; under alpha over root r it grows about eightfold from rank one to rank sixty-four."
# | echo: true
from llmlab.method.judging.statistics import mean_interval


def first_step(rank: int, seed: int) -> float:
    """Size of B A x after one Adam step on B = 0, without the scale s."""
    generator = torch.Generator().manual_seed(seed)
    a = (2 * torch.rand(rank, 128, generator=generator) - 1) / 128**0.5  # peft's start of A
    b = torch.zeros(128, rank, requires_grad=True)
    x, wanted = torch.randn(2, 128, generator=generator)
    optimizer = torch.optim.Adam([b], lr=1e-3)
    (b @ (a @ x) - wanted).square().sum().backward()
    optimizer.step()
    return (b @ (a @ x)).norm().item()


ranks = (1, 2, 4, 8, 16, 32, 64)
sizes_of_steps = torch.tensor([[first_step(rank, seed) for rank in ranks] for seed in range(20)])
relative = sizes_of_steps / sizes_of_steps[:, :1].mean()
figure, axes = style.subplots(height=3)
for index, (rule, power) in enumerate({"α/r": 1.0, "α/√r (rsLoRA)": 0.5}.items()):
    scaled = relative / torch.tensor(ranks) ** power
    found = [mean_interval(column, level=0.95) for column in scaled.T]
    mean, low, high = zip(*((one.value, one.low, one.high) for one in found), strict=True)
    style.error_line(axes, ranks, mean, low, high, label=rule, marker=style.MARKERS[index])
axes.set_xscale("log", base=2)
axes.set_xticks(ranks, ranks)
axes.set(xlabel="rank r", ylabel="size of the first step\n(rank 1 = 1)", ylim=(0, None))
axes.legend()
figure

# %% [markdown]
# Under $\alpha / r$ the first step has the same size at every rank; under $\alpha / \sqrt{r}$ it grows like $\sqrt{r}$.
# So the two rules need *different learning rates*, and a comparison at one learning rate compares two things at once.
# That is why our experiment tries every rank, under both rules, at every learning rate, and judges each at its own best
# rate.
#
# ## What the book tests
#
# - At which rank does more rank stop helping, and does the scaling rule change that? @sec-results-lora-rank
# - How does an adapter's learning rate decide what is learned and what is forgotten? @sec-results-learning-rate, after
#   the idea in @sec-learning-rate
# - Does an adapter learn as much as the whole model would, and at which rate? @sec-results-full
# - How much can an adapter of each rank hold? @sec-results-capacity
# - Which layers should carry adapters? @sec-results-modules
