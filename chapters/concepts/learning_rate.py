# %% [markdown]
# # The learning rate {#sec-learning-rate}
#
# Training walks downhill in small steps, and the learning rate sets the length of the step. @fig-lr-bowl shows three
# walks in the same valley. A short step creeps. A good one arrives. A step that is too long jumps over the floor of the
# valley, lands higher on the other side, and climbs out.

# %%
# | label: fig-lr-bowl
# | fig-cap: "Twenty steps of gradient descent in a valley whose curvature is ten times larger across than along. Each walk starts at the square; the cross is the floor."
# | fig-alt: "Three panels with oval contour lines. Left: a short path that stops far from the centre. Middle: a path that reaches the centre. Right: a zigzag that grows and leaves the panel."
# | echo: true
import numpy as np

from llmlab.book import style

CURVATURE = np.array([1.0, 10.0])  # along the valley, across it


def walk(learning_rate: float, steps: int = 20) -> np.ndarray:
    """Positions of gradient descent on ½ Σ curvature · position², shape [steps + 1, 2]."""
    positions = [np.array([-2.0, 0.6])]
    for _ in range(steps):
        gradient = CURVATURE * positions[-1]
        positions.append(positions[-1] - learning_rate * gradient)
    return np.array(positions)


along, across = np.meshgrid(np.linspace(-2.4, 0.7, 100), np.linspace(-1.2, 1.2, 100))
height = 0.5 * (CURVATURE[0] * along**2 + CURVATURE[1] * across**2)
figure, panels = style.subplots(3, 1, height=6.2, sharex=True)
rates = {0.01: "too low", 0.15: "good", 0.22: "too high"}
for axes, (rate, name), colour in zip(panels, rates.items(), style.CYCLE, strict=False):
    axes.contour(along, across, height, levels=8, colors=style.FAINT)
    axes.plot(*walk(rate).T, ".-", color=colour, linewidth=1.2)
    axes.plot(-2, 0.6, "s", color=style.INK)
    axes.plot(0, 0, "x", color=style.INK)
    axes.set(title=f"{name}: learning rate {rate}", xlim=(-2.4, 0.7), ylim=(-1.2, 1.2))
    axes.set(ylabel="across")
    axes.grid(visible=False)
panels[-1].set_xlabel("along the valley")
figure

# %% [markdown]
# ## Why too high diverges
#
# Take one direction in which the loss has curvature $\lambda$. At distance $x$ from the floor the gradient is
# $\lambda x$, so a step of gradient descent with learning rate $\eta$ gives
#
# $$ x \;\leftarrow\; x - \eta \lambda x = (1 - \eta \lambda) \, x . $$ {#eq-lr-step}
#
# The distance shrinks only while $|1 - \eta\lambda| < 1$, that is, while $\eta < 2 / \lambda$. The *steepest* direction
# sets this limit for all directions. The flattest direction shrinks by a factor of only $1 - \eta\lambda$ per step, so
# it decides how long the walk takes [@goodfellow2016deep, section 4.3]. The larger the ratio of the two curvatures, the
# slower the walk at even the best rate. @fig-lr-sweep walks the valley at many learning rates:

# %%
# | label: fig-lr-sweep
# | fig-cap: "Height left after twenty steps, for many learning rates. The dashed line is the limit $2/\\lambda$ for the steepest direction."
# | fig-alt: "A curve that falls slowly, reaches its lowest point shortly before the dashed line, and rises as a wall behind it."
# | echo: true
rates = np.geomspace(1e-3, 0.4, 200)
left = [0.5 * CURVATURE @ walk(rate)[-1] ** 2 for rate in rates]
figure, axes = style.subplots()
axes.plot(rates, left)
axes.axvline(2 / CURVATURE.max(), color=style.VERMILION, linestyle="--")
axes.text(2 / CURVATURE.max() / 1.08, 3e2, "2 / λ", color=style.VERMILION, ha="right")
axes.set(xscale="log", yscale="log", ylim=(1e-4, 1e4))
axes.set(xlabel="learning rate", ylabel="height left")
figure

# %% [markdown]
# Remember the shape: a long slope on the left, where a higher rate simply gets further; a floor; and a wall on the
# right, just past the best point. Real learning-rate sweeps have the same three parts. So a sweep whose best point is
# at its edge has not been wide enough, and the verdicts of this book then show a warning.
#
# ## Why the best rate does not carry over
#
# We train with Adam [@kingma2014adam], in the form with decoupled weight decay [@loshchilov2017adamw]. Adam divides a
# running average of the gradient by a running average of its size. Where gradients agree, its steps
# therefore have a length near $\eta$ in *every* coordinate, however steep the loss is there (@sec-optimizer-state says
# what happens where they do not). Two things follow.
#
# - Multiplying the loss by ten changes almost nothing: gradients grow, steps do not.
# - The rate is measured in units of the *weights*. A step that moves a small matrix far hardly moves a large one, and
#   the two thin matrices of an adapter (@sec-lora) need another rate than the full matrix: published sweeps find that
#   the best rate of LoRA is about ten times that of full fine-tuning [@schulman2025lora; @biderman2024lora].

# %%
# | label: fig-lr-adam
# | fig-cap: "Ten steps on a straight slope, and on one a hundred times steeper. Gradient descent (left) takes steps a hundred times longer; Adam (right) takes the same steps."
# | fig-alt: "Two panels. In the left one the steeper slope's path leaves at once. In the right one both paths lie on top of each other."
# | echo: true
import torch


def distances(optimizer: type, learning_rate: float, steepness: float) -> list[float]:
    """Distance walked down a straight slope after each of ten steps."""
    x = torch.zeros(1, requires_grad=True)
    stepper = optimizer([x], lr=learning_rate)
    walked = []
    for _ in range(10):
        stepper.zero_grad()
        (-steepness * x).sum().backward()
        stepper.step()
        walked.append(x.item())
    return walked


figure, panels = style.subplots(1, 2, height=2.8, sharey=True)
for axes, (name, kind) in zip(
    panels, {"SGD": torch.optim.SGD, "Adam": torch.optim.Adam}.items(), strict=True
):
    axes.plot(range(1, 11), distances(kind, 1e-3, steepness=1.0), "o-", label="slope 1")
    axes.plot(range(1, 11), distances(kind, 1e-3, steepness=100.0), "s--", label="slope 100")
    axes.set(title=name, xlabel="step", yscale="log")
panels[0].set_ylabel("distance walked")
panels[0].legend()
figure

# %% [markdown]
# ## Warm-up and cosine
#
# One rate for the whole run is a compromise. Early on, the weights are far from any valley and Adam's averages rest on
# few gradients. So we start low and raise the rate in a straight line over the first twentieth of the steps
# (*warm-up*), as is usual since @goyal2017minibatch. Late in the run the noise of single batches keeps the weights from
# settling, so the rate falls again along half a cosine [@loshchilov2016sgdr] to a tenth of its peak. When an experiment
# in this book names a *learning rate*, it means that **peak**. The function that the trainer calls draws the curve
# below.

# %%
# | label: fig-lr-schedule
# | fig-cap: "The default schedule in this book: linear warm-up, then half a cosine down to a tenth of the peak."
# | fig-alt: "A line that rises steeply to its peak at step twenty and falls in a smooth curve to a tenth at step four hundred."
# | echo: true
from llmlab.gpt.training import TrainConfig, learning_rate_at

config = TrainConfig(learning_rate=1e-3, steps=400)
schedule = [learning_rate_at(step, config) for step in range(config.steps)]
figure, axes = style.subplots(height=2.8)
axes.plot(schedule)
axes.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
figure

# %% [markdown]
# ## Clipping
#
# The trainer also shortens every gradient whose norm exceeds one (*clipping*). Adam ignores a constant factor, but not
# a sudden one, so clipping keeps a single wild batch from distorting the averages. It may keep a run alive that would
# otherwise diverge. It does not make the run learn: a rate that is too high stays too high.
#
# ## What the book tests
#
# - What do nine learning rates, from far too low to far too high, learn and forget on a real fine-tuning task?
#   @sec-results-learning-rate
# - Does the best rate of an adapter depend on its rank, under two scaling rules? @sec-results-lora-rank
# - Does full fine-tuning want another rate than an adapter, and does the best rate move with the size of the model?
#   @sec-results-full
