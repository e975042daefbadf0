# %% [markdown]
# # Loss curves {#sec-loss-curves}
#
# The loss curve is the first thing a run shows, and often the only thing anybody looks at. Its shape is a diagnosis.
# @fig-loss-shapes shows six shapes, drawn from formulas: the training loss in blue and the validation loss, the loss on
# held-out items, in vermilion.

# %%
# | label: fig-loss-shapes
# | fig-cap: "Six shapes of a loss curve, drawn from formulas. Blue: loss of each training batch. Vermilion: validation loss."
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
# Ask five questions, in this order. Each needs only the curves.
#
# 1. **Did the run survive?** If the training loss ends as NaN (not a number) or above its start, stop reading: the
#    steps were too long (@sec-learning-rate). A loss that is NaN for a few steps and comes back has not diverged. A
#    loss that suddenly drops to exactly zero was not computed: check the gradient norm.
# 2. **What happened first?** Adam's first steps are as long as the learning rate, whatever the gradient
#    [@kingma2014adam]. Without a warm-up [@goyal2017minibatch] a high rate throws the model uphill before it starts to
#    learn.
# 3. **Do the two losses part, and which way?** A validation loss that turns up while the training loss keeps falling
#    means overfitting: too little data, read too often. A training loss that stays *above* the validation loss means
#    that the model cannot fit its training data: part of it is wrong.
# 4. **Is there an elbow?** A healthy curve falls steeply, then slowly. A straight, slow fall means that every step
#    could have been longer.
# 5. **Where does it stop?** A plateau that starts early, at a high loss, and does not give way when the rate falls
#    means that the first large steps have damaged the model.
#
# ## Measure the noise first
#
# Each of these questions is about a *change*, and a curve of single batches changes all the time. So how much does it
# scatter? Differences between neighbouring points would count the fall of the loss as noise. In second differences,
# $x_{t-1} - 2 x_t + x_{t+1}$, a straight fall cancels. For independent noise of standard deviation $\sigma$ they have a
# standard deviation of $\sqrt 6 \sigma$.

# %%
# | echo: true
from llmlab.finetune.curves.smoothing import ema, noise_level, running_median

steep = np.linspace(100, 0, 2000)
scatter = np.random.default_rng(0).normal(0, 0.5, 2000)
print(f"noise put in: 0.5, noise found: {noise_level(steep + scatter):.2f}")

# %% [markdown]
# Smoothing shows the line behind the points. There are two ways (@fig-loss-smoothing). A moving average is pulled by
# every outlier and lags behind a fall; if it starts at zero, it also needs Adam's correction for the first steps. A
# running median ignores a single outlier altogether, and leaves a curve that only falls as it is.

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
# A small library builds on this. Each function returns the step and the numbers behind its answer, or nothing.

# %%
# | echo: true
from llmlab.finetune.curves.shapes import overfitting, plateau
from llmlab.finetune.curves.spikes import spikes

(spike,) = spikes(Curve.of(enumerate(values)))
stuck = plateau(runs["rate too high"][0])
turned = overfitting(*runs["tiny data"])
print(
    f"spike at step {spike.step}, {spike.z:.0f} standard deviations high: {spike.before:.2f} to {spike.peak:.2f}"
)
print(f"plateau from step {stuck.step} on, at {stuck.level:.2f}")
print(f"overfitting from step {turned.step} on: {turned.lowest:.2f} to {turned.last:.2f}")

# %% [markdown]
# A spike is a jump that stands out among its neighbours, not just a large one: in the first steps every difference is
# large. Where the curve is smooth, a spike must also exceed what the last printed digit and half a percent of the loss
# can explain. A plateau starts where the rest of the run lowers the loss by no more than noise would. Overfitting
# needs both curves: a validation loss that rises together with the training loss is a divergence.
#
# ## From events to causes
#
# A short list of rules turns events into a cause; the first rule that fits wins. The rules look only at the curves.

# %%
# | label: tbl-loss-rules
# | tbl-cap: "The rules, in the order in which they are tried."
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.finetune.curves.causes import RULES, name_cause, signs

Markdown(pipe_table(["what you see", "looks like"], [[rule.sign, rule.cause] for rule in RULES]))

# %% [markdown]
# On the curves of @fig-loss-shapes the rules say:

# %%
# | echo: true
for name, (training, validation) in runs.items():
    print(f"{name:14s} looks like: {name_cause(signs(training, validation)).cause}")

# %% [markdown]
# That proves little: the rules and the drawings have the same author. Do real runs look like the drawings? The
# experiment below answers this.
#
# No rule can know what the task allows. A model that has learned all there is to learn, on data with an irreducible
# loss, also ends in an early plateau. A curve is a symptom; to test a diagnosis, run again with one thing changed.
#
# ## Where is it heading?
#
# The loss of long runs often follows a power law with a floor, $L(t) = a + b\,t^{-c}$ [@kaplan2020scaling]. A fit to
# the steps so far predicts what more steps would bring, and how certain that is: the delta method turns the uncertainty
# of the fit into an interval. In @fig-loss-forecast the truth is near the edge of the interval; for about one curve in
# twenty it is outside. The interval also assumes that the law is right; that is its weakness.

# %%
# | label: fig-loss-forecast
# | fig-cap: "A made-up loss that follows a power law, the fit to its first 300 steps, and the 95 % confidence interval of the forecast. Dashed: the truth."
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
# ## How noisy should the gradient be?
#
# A batch's gradient is the true gradient $G$ plus noise that shrinks as the batch grows. Let $\Sigma$ be the covariance
# of the gradients of single examples. Signal and noise are equally strong at a batch of
# $\operatorname{tr}(\Sigma)/|G|^2$ examples, the *noise scale* [@mccandlish2018batch]. Gradient norms at two batch
# sizes are enough to measure it: the mean of $|G_B|^2$ is $|G|^2 + \operatorname{tr}(\Sigma)/B$, so two batch sizes
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
# `llmlab curves FILE` reports all this for a run. It reads the log of `llmlab train` and `llmlab finetune`, a table of
# curves of this book, a CSV file with a column of steps or epochs, TensorBoard event files, the `trainer_state.json` of
# Hugging Face, the `trainer_log.jsonl` of LLaMA-Factory, or the lines that nanoGPT, Megatron, torchtune and others
# print, in a `.log`. Given a folder, it reads all event files of a resumed run as one. It lists in one line whatever it
# leaves out.
#
# ## What the book tests
#
# Do the rules work on real runs? We spoil runs on purpose, each in one way, and the rules have to name the way from the
# curves alone: @sec-results-loss-curves.
