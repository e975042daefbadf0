# %% [markdown]
# # Loss curves {#sec-loss-curves}
#
# A loss curve is the first thing that a run tells, and often the only thing that anybody looks at. Its shape is a
# diagnosis. @fig-loss-shapes shows six, drawn by formulas: the training loss in blue, the loss on held-out items, the
# validation loss, in vermilion.

# %%
# | label: fig-loss-shapes
# | fig-cap: "Six shapes of a loss curve, drawn by formulas. Blue: loss of each training batch. Vermilion: loss on validation items."
# | fig-alt: "Six small panels. Healthy: both losses fall steeply, then slowly, together. Rate too high: both stick at a high level with jumps. No warm-up: the validation loss rises above its start first. Tiny data: the training loss falls to zero, the validation loss turns and rises. Label noise: the training loss stays above the validation loss. Rate too low: both fall slowly in an almost straight line."
# | echo: true
import numpy as np

from llmlab.book import style
from llmlab.finetune.curves.curve import Curve

STEPS = np.arange(200)
fall = 0.3 + 8 / (1 + STEPS / 5) ** 1.2
shapes = {  # training loss, validation loss
    "healthy": (fall, fall),
    "rate too high": (np.maximum(fall, 1.6), np.maximum(fall, 1.6)),
    "no warm-up": (fall, fall + 5 * ((STEPS > 0) & (STEPS < 8))),
    "tiny data": (fall - 0.28, fall + STEPS / 100),
    "label noise": (fall + 0.5, fall),
    "rate too low": (9 - STEPS / 50, 9 - STEPS / 50),
}


def noisy(values: np.ndarray, seed: int, noise: float = 0.04) -> Curve:
    """A curve whose points scatter around `values` by a share of them."""
    scatter = np.random.default_rng(seed).normal(0, noise, len(values))
    return Curve.of(enumerate(values * (1 + scatter)))


runs = {
    name: (noisy(training, 0, noise=0.1), noisy(validation, 1, noise=0.02))
    for name, (training, validation) in shapes.items()
}
figure, panels = style.subplots(3, 2, height=6.4, sharex=True, sharey=True)
for axes, (name, (training, validation)) in zip(panels.flat, runs.items(), strict=True):
    axes.plot(training.x, training.y, color=style.BLUE, linewidth=0.8)
    axes.plot(validation.x, validation.y, color=style.VERMILION, linewidth=1.4)
    axes.set(title=name, yscale="log", ylim=(0.02, 20))
for axes in panels[-1]:
    axes.set_xlabel("step")
for axes in panels[:, 0]:
    axes.set_ylabel("loss")
figure

# %% [markdown]
# ## How to read one
#
# Five questions, in this order. Each needs only the curves.
#
# 1. **Is it still there?** A training loss that ends as no number, or above its start, needs no more reading: the step
#    was too long (@sec-learning-rate). One that is not a number for a few steps and comes back has not diverged. One
#    that drops to exactly zero at once was not computed: look at the gradient norm.
# 2. **What happened first?** Adam's first steps are as large as the rate, whatever the gradient [@kingma2014adam].
#    Without a warm-up [@goyal2017minibatch] a high rate throws the model uphill before it starts to learn.
# 3. **Do the two losses part, and which way?** A validation loss that turns while the training loss falls on is
#    over-fitting: too little data, too often. A training loss that stays *above* the validation loss is a model that
#    cannot fit what it is given: some of it is wrong.
# 4. **Is there an elbow?** A healthy curve falls steeply, then slowly. A straight, slow fall says that every step could
#    have been longer.
# 5. **Where does it stop?** A plateau that begins early and high, and does not give way when the rate falls, is a model
#    that the first large steps have broken.
#
# ## Noise first
#
# Every one of these questions is about a *change*, and a curve of single batches changes all the time. So how much does
# it scatter? Differences of neighbouring points would count the fall as noise. In second differences, $x_{t-1} - 2 x_t +
# x_{t+1}$, a straight fall cancels, and for independent noise of standard deviation $\sigma$ theirs is $\sqrt 6 \sigma$.

# %%
# | echo: true
from llmlab.finetune.curves.smoothing import ema, noise_level, running_median

steep = np.linspace(100, 0, 2000)
scatter = np.random.default_rng(0).normal(0, 0.5, 2000)
print(f"noise put in: 0.5, noise found: {noise_level(steep + scatter):.2f}")

# %% [markdown]
# To see the line behind the points one smooths, and there are two ways (@fig-loss-smoothing). A moving average is pulled
# by every outlier and lags behind a fall; started at zero it also needs Adam's correction for its first steps. A running
# median forgets a single outlier altogether, and leaves a curve that only falls as it is.

# %%
# | label: fig-loss-smoothing
# | fig-cap: "A loss with one spike, and two ways to smooth it."
# | fig-alt: "A noisy falling curve with a spike. The moving average rises after the spike and comes down slowly; the running median does not see it."
# | echo: true
values = fall * (1 + np.random.default_rng(2).normal(0, 0.08, 200))
values[80] += 2
figure, axes = style.subplots(height=3)
axes.plot(STEPS[20:], values[20:], color=style.FAINT, label="loss")
axes.plot(STEPS[20:], ema(values, beta=0.9)[20:], color=style.ORANGE, label="moving average")
axes.plot(
    STEPS[20:], running_median(values, width=11)[20:], color=style.BLUE, label="running median"
)
axes.set(xlabel="step", ylabel="loss")
axes.legend()
figure

# %% [markdown]
# ## Events
#
# On this stands a small library. Each function answers with the step and the numbers that it rests on, or with nothing.

# %%
# | echo: true
from llmlab.finetune.curves.shapes import overfitting, plateau, spikes

(spike,) = spikes(Curve.of(enumerate(values)))
stuck = plateau(runs["rate too high"][0])
turned = overfitting(*runs["tiny data"])
print(
    f"spike at step {spike.step}, {spike.z:.0f} deviations high: {spike.before:.2f} to {spike.peak:.2f}"
)
print(f"plateau from step {stuck.step} on, at {stuck.level:.2f}")
print(f"over-fitting from step {turned.step} on: {turned.lowest:.2f} to {turned.last:.2f}")

# %% [markdown]
# A spike is a jump that stands out among its neighbours, not one that is large: in the first steps every difference is
# large; and where the curve is smooth, it must exceed what the last printed digit and half a percent of the loss explain.
# A plateau begins where all that still comes lowers the loss by no more than noise would. Over-fitting asks for both
# curves, since a validation loss that rises together with the training loss is something else: a divergence.
#
# ## From events to causes
#
# A short list of rules turns events into a name; the first rule that fits wins. It looks at the curves and at nothing
# else.

# %%
# | label: tbl-loss-rules
# | tbl-cap: "The rules, in their order."
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.finetune.curves.causes import RULES, name_cause, signs

Markdown(pipe_table(["what one sees", "looks like"], [[rule.sign, rule.cause] for rule in RULES]))

# %% [markdown]
# On the curves of @fig-loss-shapes they say:

# %%
# | echo: true
for name, (training, validation) in runs.items():
    print(f"{name:14s} looks like: {name_cause(signs(training, validation)).cause}")

# %% [markdown]
# That proves little: the rules and the drawings have one author. Whether real runs look like the drawings is a question
# for an experiment, and it is asked below.
#
# What no rule can know is what the task allows. A model that has learned all that there is to learn, on data with an
# irreducible loss, ends in an early plateau, too. A curve is a symptom; another run with one thing changed is the test.
#
# ## Where is it heading?
#
# The loss of long runs often follows a power law with a floor, $L(t) = a + b\,t^{-c}$ [@kaplan2020scaling]. Fitted to
# what was seen, it says what more steps would bring, and how surely: the interval follows from the fit by the delta
# method. In @fig-loss-forecast the truth lies near its edge; for one curve in twenty it lies outside. And the interval
# believes in the law; that is its weakness.

# %%
# | label: fig-loss-forecast
# | fig-cap: "A made-up loss that follows a power law, the fit to its first 300 steps, and the 95 % interval of the forecast. Dashed: the truth."
# | fig-alt: "Noisy points up to step 300, a line through them that goes on to step 1200 with a band that widens slowly, and a dashed line within the band."
# | echo: true
from llmlab.finetune.curves.extrapolation import fit_power_law

seen = np.arange(1, 301)
truth = lambda t: 1 + 3 * t**-0.5  # noqa: E731
points = truth(seen) + np.random.default_rng(3).normal(0, 0.2, 300)
law = fit_power_law(Curve.of(zip(seen, points, strict=True)))
ahead = [law.at(step) for step in range(20, 1201, 20)]
figure, axes = style.subplots(height=3)
axes.plot(seen, points, ".", color=style.FAINT)
axes.plot([one.step for one in ahead], [one.value for one in ahead], color=style.BLUE)
axes.fill_between(
    [one.step for one in ahead],
    [one.low for one in ahead],
    [one.high for one in ahead],
    color=style.BLUE,
    alpha=0.2,
)
axes.plot([one.step for one in ahead], [truth(one.step) for one in ahead], "--", color=style.INK)
axes.set(xlabel="step", ylabel="loss", ylim=(0.7, 2))
figure

# %% [markdown]
# ## How noisy should it be?
#
# A batch's gradient is the true one plus noise that shrinks with the number of examples. The two are equally strong at
# a batch of $\operatorname{tr}(\Sigma)/|G|^2$ examples, the noise scale [@mccandlish2018batch]. It can be had from
# gradient norms at two batch sizes alone: $|G_B|^2$ is on average $|G|^2 + \operatorname{tr}(\Sigma)/B$, so two of them
# give both unknowns (appendix A of that paper).

# %%
# | echo: true
from llmlab.finetune.curves.noise import noise_scale

draw = np.random.default_rng(0)


def gradient_norms(batch: int, steps: int = 300) -> np.ndarray:
    """Norms of gradients of length 1 whose examples scatter with tr(Σ) = 40."""
    true = np.eye(50)[0]
    return np.linalg.norm(true + draw.normal(0, np.sqrt(40 / 50 / batch), (steps, 50)), axis=1)


found = noise_scale(gradient_norms(4), gradient_norms(64), 4, 64)
print(f"put in: 40; found: {found.value:.0f} ({found.low:.0f} to {found.high:.0f})")

# %% [markdown]
# ## On your own runs
#
# `llmlab curves FILE` says all this of a run: of the log of `llmlab train` and `llmlab finetune`, a table of curves of
# this book, a CSV file with a column of steps or epochs, the event files of TensorBoard, the `trainer_state.json` of
# Hugging Face, or the `trainer_log.jsonl` of LLaMA-Factory. Given a folder, it reads all event files of a resumed run
# as one. Whatever it leaves out, it names in one line.
#
# ## What the book tests
#
# Runs are spoilt on purpose, each in one way, and the rules have to name the way from the curves alone:
# @sec-results-loss-curves.
