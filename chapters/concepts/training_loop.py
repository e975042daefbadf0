# %% [markdown]
# # The training loop {#sec-training-loop}
#
# Training is one short loop: predict, measure how wrong the prediction was, find out which way every weight would have
# to move to be less wrong, and move them all a little. @fig-loop-training shows a hundred rounds of it, run while this
# page was built. A small GPT reads the source code of Python's standard library and knows nothing when it starts.

# %%
# | label: fig-loop-training
# | fig-cap: "A hundred steps of training. Above: the loss of each batch, and the loss on held-out text; dashed: the loss of giving all tokens the same probability. Below: the learning rate."
# | fig-alt: "Two panels over the step. Above, the loss starts on the dashed line and falls, first steeply, then slowly; dots for held-out text follow the same course. Below, the learning rate rises for a few steps and then falls along half a cosine."
# | echo: true
# | code-fold: true
# | code-summary: "Text, model and figure"
import math

import numpy as np
import torch

from llmlab.book import style
from llmlab.gpt.model import GPT, GPTConfig, next_token_loss
from llmlab.gpt.text.encoded_corpus import named_corpus
from llmlab.gpt.text.text_tokenizers import train_bpe
from llmlab.gpt.text.token_dataset import TokenBatches, TokenSpan
from llmlab.gpt.training import TrainConfig, Trainer, evaluate

torch.set_num_threads(1)  # the same numbers on every run
text = "".join(named_corpus("stdlib", 200_000).texts())
tokenizer = train_bpe([text[:160_000]], vocab_size=512)


def span_of(name: str, text: str) -> TokenSpan:
    return TokenSpan(name, np.array(tokenizer.encode(text)), tokenizer.byte_lengths)


span = span_of("training text", text[:160_000])
batches = TokenBatches(span, context=64, batch_size=16, seed=0)
unseen = TokenBatches(span_of("unseen text", text[160_000:]), 64, batch_size=32, seed=0).at(0)
shape = GPTConfig(tokenizer.vocab_size, context=64, d_model=64, n_layers=2, n_heads=4)
config = TrainConfig(learning_rate=5e-3, steps=100)

torch.manual_seed(0)
model = GPT(shape)
points, seen, validation = [], [], []
for point in Trainer(model, config).points(batches.stream(0, torch.device("cpu"))):
    points.append(point)
    if point.step % 20 == 19:
        seen.append(point.step)
        validation.append(evaluate(model, *unseen).loss)

figure, (above, below) = style.subplots(
    2, 1, height=4.4, sharex=True, gridspec_kw={"height_ratios": [2, 1]}
)
above.plot([point.loss for point in points], label="batch of this step")
above.plot(seen, validation, "s", color=style.VERMILION, label="held-out text")
above.axhline(math.log(tokenizer.vocab_size), color=style.MUTED, linestyle="--")
above.text(
    99, math.log(tokenizer.vocab_size) - 0.05, "ln V", ha="right", va="top", color=style.MUTED
)
above.set(ylabel="loss (nats per token)")
above.legend()
below.plot([point.learning_rate for point in points], color=style.GREEN)
below.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
figure

# %% [markdown]
# ## The loss, and where it starts
#
# At every position the model gives each token of the vocabulary a probability. The loss is the mean surprise, $-\ln p$,
# at the tokens that really came next:
#
# $$ \ell = -\frac{1}{n} \sum_{i=1}^{n} \ln p(x_{i+1} \mid x_1 \ldots x_i) . $$ {#eq-loss}
#
# A model that has learned nothing gives all $V$ tokens about the same probability, $1/V$, so its loss is near $\ln V$.
# Check this first in any run: a loss that starts far from it points to a bug.

# %%
# | label: tbl-loop-untrained
# | tbl-cap: "Loss of untrained models on random tokens."
# | echo: true
from IPython.display import Markdown

from llmlab.book.markup import pipe_table

rows = []
for vocab_size in (64, 512, 4096):
    torch.manual_seed(0)
    untrained = GPT(GPTConfig(vocab_size, context=32, d_model=64, n_layers=2, n_heads=4))
    tokens_BT = torch.randint(vocab_size, (8, 33))
    with torch.no_grad():
        loss = next_token_loss(untrained(tokens_BT[:, :-1]), tokens_BT[:, 1:])
    rows.append([f"{vocab_size:,}", f"{math.log(vocab_size):.2f}", f"{loss:.2f}"])
Markdown(pipe_table(["$V$", "$\\ln V$", "loss"], rows, numeric=[0, 1, 2]))

# %% [markdown]
# ## The loop
#
# Here is the loop, with nothing left out. It reproduces the losses of @fig-loop-training, which the library's `Trainer`
# computed.

# %%
# | echo: true
# | code-fold: false
from torch import nn

from llmlab.gpt.training import learning_rate_at, make_optimizer

torch.manual_seed(0)
model = GPT(shape)
optimizer = make_optimizer(model, config)
losses = []
for step in range(config.steps):
    inputs_BT, targets_BT = batches.at(step)
    loss = next_token_loss(model(inputs_BT), targets_BT)  # predict, and measure
    optimizer.zero_grad()
    loss.backward()  # which way?
    nn.utils.clip_grad_norm_(model.parameters(), config.clip)  # not too far
    for group in optimizer.param_groups:
        group["lr"] = learning_rate_at(step, config)
    optimizer.step()  # move
    losses.append(loss.item())

np.testing.assert_allclose(losses, [point.loss for point in points], rtol=1e-5)

# %% [markdown]
# The target of every token is the token after it, so a batch is the text next to itself, shifted by one. The seed and
# the step alone decide which windows of the text come in which step, so a run that is stopped and resumed continues
# with the same windows (@sec-checkpoints).
#
# ## AdamW
#
# A gradient says which way is down, not how far to go. Adam [@kingma2014adam] keeps two running averages for every
# weight: $m$ of its gradient $g$, and $v$ of the squared gradient. It moves along the first and divides by the root of
# the second, so each weight moves at most about one learning rate $\eta$ per step, however steep the loss is there:
#
# $$ m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, $$
# $$ w \leftarrow w - \eta \lambda w - \eta \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon} . $$ {#eq-adamw}
#
# The divisors $1 - \beta^t$ correct for averages that start at zero ($t$ counts steps). The W stands for weight decay:
# $\lambda$ pulls every weight towards zero directly, outside the averages [@loshchilov2017adamw]. Only matrices decay
# here; norms, biases and embeddings do not.

# %%
# | echo: true
# | code-fold: false
RATE, DECAY, BETA1, BETA2, EPSILON = 1e-2, 0.1, 0.9, 0.95, 1e-8


def adamw(w, gradient_of, steps: int):
    """The weights after some steps of AdamW."""
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    for t in range(1, steps + 1):
        g = gradient_of(w)
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * g**2
        adapted = (m / (1 - BETA1**t)) / (torch.sqrt(v / (1 - BETA2**t)) + EPSILON)
        w = w - RATE * DECAY * w - RATE * adapted
    return w


target = torch.randn(5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
by_hand = adamw(torch.zeros_like(target), lambda w: 2 * (w - target), steps=50)

w = torch.zeros_like(target, requires_grad=True)
library = torch.optim.AdamW([w], lr=RATE, weight_decay=DECAY, betas=(BETA1, BETA2), eps=EPSILON)
for _ in range(50):
    library.zero_grad()
    (w - target).square().sum().backward()
    library.step()
torch.testing.assert_close(by_hand, w.detach())

# %% [markdown]
# ## Warm-up and cosine
#
# In the first steps the averages rest on a handful of batches, so the learning rate rises from near zero
# [@goyal2017minibatch]. At the end it falls along half a cosine [@loshchilov2016sgdr], so that the noise of single
# batches averages out. @sec-learning-rate gives the reasons and shows what goes wrong otherwise.
#
# ## Clipping
#
# Now and then a batch holds text unlike the rest, such as a long table of numbers. Its loss is high and its gradient
# far longer than usual. Clipping treats the gradients of all weights as one vector $g$. If $g$ is longer than $c$,
# clipping shortens it to $c$ and keeps its direction [@pascanu2012difficulty]:
#
# $$ g \leftarrow g \cdot \min\!\left(1, \frac{c}{\lVert g \rVert}\right) . $$ {#eq-clip}

# %%
# | label: fig-loop-norms
# | fig-cap: "Gradient norm in the hundred steps of @fig-loop-training. Gradients above the dashed line were clipped to it."
# | fig-alt: "A jagged line over the step, mostly below a dashed line at one, with a spike far above it."
# | echo: true
figure, axes = style.subplots(height=2.7)
axes.plot([point.gradient_norm for point in points])
axes.axhline(config.clip, color=style.VERMILION, linestyle="--")
axes.set(xlabel="step", ylabel="gradient norm", yscale="log")
axes.yaxis.set_major_formatter("{x:g}")
figure

# %% [markdown]
# ## Gradient accumulation
#
# A large batch may not fit into memory. It does not have to: the gradient of a mean is the mean of the gradients. So we
# compute the batch in parts, one after another, let their gradients add up in place, and only then take a step. Each
# part is weighted by its share of the batch. The result is the same up to rounding, and it needs the memory of one part
# only.

# %%
# | label: tbl-loop-accumulation
# | tbl-cap: "The gradient of one batch of 16 sequences, computed in parts and compared with that of the whole batch: largest difference in any weight, relative to the gradient norm."
# | echo: true
# | code-fold: false


def gradient(n_parts: int) -> torch.Tensor:
    """The gradient of all weights on the first batch, computed in `n_parts` parts."""
    model.zero_grad()
    parts = zip(*(whole_BT.chunk(n_parts) for whole_BT in batches.at(0)), strict=True)
    for inputs_BT, targets_BT in parts:
        loss = next_token_loss(model(inputs_BT), targets_BT) / n_parts
        loss.backward()  # adds to what is there
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


whole = gradient(1)
rows = []
for n_parts in (2, 4, 8, 16):
    difference = (gradient(n_parts) - whole).abs().max() / whole.norm()
    rows.append([str(n_parts), str(16 // n_parts), f"{difference:.0e}"])
Markdown(pipe_table(["parts", "sequences in each", "difference"], rows, numeric=[0, 1, 2]))

# %% [markdown]
# ## Why the training loss is not enough
#
# In @fig-loop-training both losses fall together, because the model reads its text less than twice. A model that reads
# the same text again and again keeps getting better at *that text* long after it has stopped getting better at others.
# The gap between the two losses shows what it has memorised; only the validation loss, the loss on held-out text, shows
# what it has learned.
#
# ## What the book tests
#
# - What does each of warm-up, the falling learning rate, weight decay, $\beta_2$ and clipping buy, when we leave out
#   one at a time? @sec-results-optimizer
# - How does the loss fall with tokens, seconds and model size? @sec-results-pretraining
# - How do the two losses part when a short text is read over and over? @sec-results-memorization
