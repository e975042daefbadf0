# %% [markdown]
# # Batch size, learning rate, and where a run ends {#sec-results-training-dynamics}

# %%
from IPython.display import Markdown

from llmlab.book import style
from llmlab.book.evidence.results import footer
from llmlab.book.show import (
    answer,
    best,
    command,
    evidence,
    figure,
    means,
    method,
    note,
    says,
    table,
    value,
    verdict,
    word,
)
from llmlab.book.views import find_view
from llmlab.book.views.landscapes import draw_paths, draw_planes, path_means

price = says(
    "H-BATCH-3",
    supported="Examples are better spent in small batches: four times the batch size learns far less from as many.",
    refuted="Four times the batch size costs less than we said, at equal examples.",
    undecided="It is open whether four times the batch size costs as much as we said, at equal examples.",
    also="Accuracy {moves}.",
)
rate_of_large = says(
    "H-BATCH-2",
    supported="With sixteen times the batch size a higher rate is best, as expected of a less noisy step.",
    refuted="Sixteen times the batch size does not need the higher rate that we expected.",
    undecided="It is open which rate is best for the largest batch.",
    also="The best rate that was tried is {}.",
)
one_valley = says(
    "H-LAND-3",
    supported="Two full fine-tuning runs from one base model end in one valley.",
    refuted="Even two full fine-tuning runs from one base model have a hill between them: a shared base does not mean a shared valley.",
    undecided="It is open whether two full fine-tuning runs from one base model end in one valley.",
    also="The barrier is {}.",
)
answer(price, rate_of_large, one_valley)

# %% [markdown]
# ## The question
#
# You have a budget of a few thousand examples. Should you spend them in many small steps or in few large ones? How does
# the best learning rate change with that choice, and is it the same for LoRA as for full fine-tuning? And when the runs
# are over, have the two methods found the same kind of minimum: equally flat, and in the same valley?
#
# @sec-optimizer-state explains how batch size and learning rate are related, and @sec-loss-landscapes what we can see
# of the place where a run ends. Here we measure both, on the same runs.

# %%
note("training_dynamics")

# %%
# | label: fig-results-dynamics
# | fig-cap: "Accuracy on the new task by batch size, each point at its own best learning rate. All runs see the same number of examples, so a larger batch means fewer steps. Dots are single runs."
# | fig-alt: "Two lines, one for full fine-tuning and one for LoRA, of accuracy over the batch size, with error bars."
figure("training_dynamics", "accuracy", x="batch_size", by="method", tuned=["learning_rate"])

# %% [markdown]
# ## Hypotheses and verdicts
#
# Seven hypotheses are about the batch size and four about the place where a run ends. Each family is corrected
# separately for its number of tests.

# %%
verdict("H-BATCH-1")

# %%
verdict("H-BATCH-2")

# %%
verdict("H-BATCH-3")

# %%
verdict("H-BATCH-4")

# %%
verdict("H-BATCH-5")

# %%
verdict("H-BATCH-6")

# %%
verdict("H-BATCH-7")

# %%
verdict("H-LAND-1")

# %%
verdict("H-LAND-2")

# %%
verdict("H-LAND-3")

# %%
verdict("H-LAND-4")

# %% [markdown]
# ## Method
#
# Every combination of method, batch size and learning rate fine-tunes the base model (@sec-results-base-model) on
# subtraction. The number of *examples* is fixed, not the number of steps: examples cost time and data, and the batch
# size is a way to spend them. Runs with the same seed see the items in the same order, but cut into different batches.
#
# Besides accuracy, we measure four things on each run:
#
# - The **noise scale** (@eq-noise-scale) before the first and after the last step, over the trained weights. Where the
#   signal is lost in the noise, we take the largest value that this number of examples can show.
# - **Adam's memory** at the end: how widely $\sqrt{\hat v}$ varies over the weights, and the share of weights whose
#   last step used at least half of the learning rate.
# - The **curvature** at the end: the largest eigenvalue of the Hessian of the training loss, and the rise of the
#   validation loss at a fifth of the weights' length in random filter-normalised directions [@li2017landscape]. We
#   first add LoRA's adapter to the weights and measure both methods over the same matrices; in their own coordinates
#   they could not be compared.
# - The **path** to another minimum, that of a full fine-tuning run with batches of eight from the same base model, with
#   the examples in another order. The barrier is how far the validation loss rises on the straight line to it
#   (@eq-barrier).
#
# We first ran five seeds, which left most of the claims undecided, then ten, then twenty, with every claim unchanged.
# With the twenty came a learning rate of [2e-2]{.setting}, because the best rate of one method stood at the edge of the
# grid. The verdicts count all three looks at the data and share α between them, so the level of the tests holds.

# %%
# | label: tbl-dynamics-method
# | tbl-cap: "Conditions and budget of the experiment on training dynamics."
method("training_dynamics")

# %% [markdown]
# This command makes the table:

# %%
command("training_dynamics")

# %% [markdown]
# ## The surface of batch size and learning rate
#
# @fig-results-dynamics-full and @fig-results-dynamics-lora show the whole surface in validation loss, which tells runs
# apart even where accuracy is still near zero.

# %%
# | label: fig-results-dynamics-full
# | fig-cap: "Full fine-tuning: validation loss by learning rate, for each batch size."
# | fig-alt: "One line for each batch size, of validation loss over the learning rate on a logarithmic axis, with error bars."
figure("training_dynamics", "validation_loss", x="learning_rate", by="batch_size", method="full")

# %%
# | label: fig-results-dynamics-lora
# | fig-cap: "LoRA: validation loss by learning rate, for each batch size."
# | fig-alt: "One line for each batch size, of validation loss over the learning rate on a logarithmic axis, with error bars."
figure("training_dynamics", "validation_loss", x="learning_rate", by="batch_size", method="lora")

# %%
# | label: tbl-results-dynamics
# | tbl-cap: "Every method and batch size at the learning rate with its best validation loss."
table(
    "training_dynamics",
    ["accuracy", "validation_loss"],
    by=["method", "batch_size"],
    tuned=["learning_rate"],
)

# %% [markdown]
# ### Signal and noise
#
# How large should a batch be? The noise scale answers from the gradients alone (@tbl-results-dynamics-noise). Batches
# far below it spend steps on noise; batches far above it spend examples on what is already known.

# %%
# | label: tbl-results-dynamics-noise
# | tbl-cap: "Noise scale before the first step and after the last, and the growth from one to the other in powers of ten; at the best learning rate of each row."
table(
    "training_dynamics",
    ["noise_start", "noise_end", "noise_growth"],
    by=["method", "batch_size"],
    tuned=["learning_rate"],
    compare=False,
)

# %% [markdown]
# Adam turns agreement between gradients into step length (@fig-optimizer-share). @fig-results-dynamics-share shows how
# many weights still move at close to the full rate in the last step. All points share one learning rate; they differ in
# the batch size, and with it in the number of steps.

# %%
# | label: fig-results-dynamics-share
# | fig-cap: "Share of weights whose last step used at least half of the learning rate, at a learning rate of 1e-3."
# | fig-alt: "Two lines, one for each method, of the share of weights over the batch size, with error bars."
figure("training_dynamics", "full_rate_share", x="batch_size", by="method", learning_rate=1e-3)

# %% [markdown]
# ### What Adam remembers
#
# @fig-results-dynamics-moments looks into the optimizer of two runs. Each bar summarises the weights of one parameter
# tensor by the size of their recent gradients.

# %%
found = evidence("training_dynamics")


def best_rate(method: str) -> float:
    """The learning rate with the lowest validation loss with batches of eight."""
    losses = means(
        "training_dynamics", "validation_loss", by="learning_rate", method=method, batch_size=8
    )
    return float(losses.loc[losses["mean"].idxmin(), "learning_rate"])


NAMES = {"full": "full fine-tuning", "lora": "LoRA"}
ends = {
    method: {"method": method, "batch_size": 8, "learning_rate": best_rate(method)}
    for method in NAMES
}

# %%
# | label: fig-results-dynamics-moments
# | fig-cap: "Root mean square of recent gradients, √v̂, in the matrices and gains of the last block at the end of a run of each method, with batches of eight at the best learning rate (first seed). Dot: the median weight. Thick line: the middle half of the weights. Thin line: nine in ten."
# | fig-alt: "Two panels of horizontal bars on a logarithmic axis, one bar for each parameter of the last block: full fine-tuning above, LoRA below."
figure_of_moments, panels = style.subplots(2, height=5.4, sharex=True)
for axes, (name, condition) in zip(panels, ends.items(), strict=True):
    _, view = find_view(found, "second moment", condition, seed=0)
    last = max(p["name"].split(".")[1] for p in view["parameters"] if "blocks." in p["name"])
    prefix = f"blocks.{last}."
    inside = [p for p in view["parameters"] if p["name"].startswith(prefix)]
    bars = [p for p in inside if not p["name"].endswith("bias")]
    for row, bar in enumerate(bars):
        low, quarter, median, three_quarters, high = bar["size"]
        axes.plot([low, high], [row, row], color=style.BLUE, linewidth=1)
        axes.plot([quarter, three_quarters], [row, row], color=style.BLUE, linewidth=4)
        axes.plot(median, row, "o", color=style.VERMILION, markersize=4)
    labels = [
        p["name"]
        .removeprefix(prefix)
        .removesuffix(".weight")
        .replace(".a_RI", ", A")
        .replace(".b_RO", ", B")
        for p in bars
    ]
    axes.set_yticks(range(len(bars)), labels, fontsize=9.5)
    axes.set(xscale="log", title=NAMES[name], ylim=(len(bars) - 0.5, -0.5))
panels[1].set_xlabel("√v̂")
style.sign(figure_of_moments, footer(found))
figure_of_moments

# %%
# | label: tbl-results-dynamics-spread
# | tbl-cap: "Spread of √v̂ over all trained weights: the 95th divided by the 5th percentile, in powers of ten."
table(
    "training_dynamics",
    "rate_spread",
    by=["method", "batch_size"],
    tuned=["learning_rate"],
    compare=False,
)

# %% [markdown]
# ## Where the runs end
#
# With batches of eight the runs take the most steps and come closest to a real minimum, so we look at these.
# @fig-results-dynamics-curvature shows two measures of sharpness at every learning rate: the steepest direction above
# and random directions below.

# %%
# | label: fig-results-dynamics-curvature
# | fig-cap: "Sharpness where each run ended, with batches of eight. Above: the largest eigenvalue of the Hessian as a power of ten. Below: the mean rise of the validation loss at a fifth of the weights' length in random directions."
# | fig-alt: "Two panels over the learning rate with a line for full fine-tuning and one for LoRA in each: log curvature above, random rise below, with error bars."
figure(
    "training_dynamics",
    ["log_curvature", "random_rise"],
    x="learning_rate",
    by="method",
    batch_size=8,
)

# %%
# | label: fig-results-dynamics-planes
# | fig-cap: "Validation loss on a filter-normalised random plane through the end of one run of each method (cross), with batches of eight at the best learning rate, first seed. Distances are relative to the length of the weights. Both planes have the same two random directions, scaled to their own weights, and the same contour levels."
# | fig-alt: "Two maps with lines of equal loss around a cross, one for full fine-tuning and one for LoRA, on one scale of colours."
planes = {
    NAMES[name]: find_view(found, "plane", condition, seed=0)[1] for name, condition in ends.items()
}
draw_planes(planes, "nats/token", footer(found))

# %% [markdown]
# Are the two ends in one valley? @fig-results-dynamics-path walks straight from the end of each method's runs to the
# end of another full fine-tuning run from the same base model. A curve that stays below the straight line between its
# ends means one valley; a hill means that this path crosses a barrier.

# %%
# | label: fig-results-dynamics-path
# | fig-cap: "Loss and accuracy on the validation items along the straight path from the end of a run to a full fine-tuning minimum of the same base model and seed, reached with another order of the examples. Batches of eight, best learning rate of each method; means over seeds with 95 % confidence intervals."
# | fig-alt: "Two panels over the way from zero to one hundred per cent with a line for each method: loss above, accuracy below."


def walk(condition: dict) -> dict:
    """Loss and accuracy on the way, the latter in per cent."""
    loss, accuracy = (path_means(found, "path", name, condition) for name in ("loss", "accuracy"))
    accuracy[["mean", "low", "high"]] *= 100
    return {"loss": loss, "accuracy": accuracy}


draw_paths(
    {NAMES[name]: walk(condition) for name, condition in ends.items()},
    ["loss (nats/token)", "accuracy (%)"],
    "position on the way to the full fine-tuning minimum (%)",
    footer(found),
)

# %%
# | label: tbl-results-dynamics-shape
# | tbl-cap: "The place where runs end, with batches of eight at the best learning rate of each method."
table(
    "training_dynamics",
    ["log_curvature", "random_rise", "barrier"],
    by="method",
    tuned=["learning_rate"],
    compare=False,
    batch_size=8,
)

# %% [markdown]
# ## Learnings


# %%
def at_rate(rate: float) -> str:
    """Where full runs with batches of eight end at a learning rate."""
    condition = {"method": "full", "batch_size": 8, "learning_rate": rate}
    return value("training_dynamics", "validation_loss", **condition)


tested = word("H-BATCH-3") != "UNTESTED"
rate_of_small = says(
    "H-BATCH-1",
    supported="With small batches the best rate of full fine-tuning is low, as we said.",
    refuted="With small batches the best rate of full fine-tuning is not as low as we said.",
    undecided="It is open which rate is best for small batches in full fine-tuning.",
    also="The best rate that was tried is {}.",
)
keeps_up = says(
    "H-BATCH-4",
    supported="With small batches LoRA keeps up with full fine-tuning.",
    refuted="Even with small batches LoRA does not end as close to full fine-tuning as we said.",
    undecided="It is open whether LoRA keeps up with full fine-tuning in small batches.",
    also="LoRA minus full is {}.",
)
sizes = sorted(found.runs["batch_size"].unique())
own_rates = (
    "For batches of "
    + ", ".join(f"{size:.0f}" for size in sizes)
    + " the validation loss chooses "
    + " and ".join(
        ", ".join(
            best("training_dynamics", "learning_rate", method=name, batch_size=int(size))
            for size in sizes
        )
        + f" for {full_name}"
        for name, full_name in NAMES.items()
    )
    + "."
)
falls_behind = says(
    "H-BATCH-5",
    supported="With larger batches LoRA falls behind.",
    refuted="With larger batches LoRA falls behind by less than we said.",
    undecided="It is open whether LoRA falls behind with larger batches.",
    also="LoRA minus full is {} there.",
)
growth = value("training_dynamics", "noise_growth", method="full", batch_size=8, learning_rate=1e-3)
noise = says(
    "H-BATCH-6",
    supported="The noise scale grows while a model learns: the right batch size depends on when, not only on what.",
    refuted="The noise scale grows less than we said.",
    undecided="It is open whether the noise scale grows as much as we said: it is hard to measure once the "
    "gradient is small.",
    also=f"In full fine-tuning with the smallest batches it grows by {growth}.",
)
full_rate = says(
    "H-BATCH-7",
    supported="Larger batches let more weights move at the full rate, as theory predicts for Adam.",
    refuted="Larger batches do not let more weights move at the full rate at the end of a run. They have taken fewer steps "
    "by then, and that may outweigh the smaller noise.",
    undecided="It is open whether larger batches let more weights move at the full rate.",
    also="The rank correlation with the batch size is {}.",
)
sharper = says(
    "H-LAND-1",
    supported="LoRA ends where the loss is more curved in the full weight space, whatever it looks like from within the adapter.",
    refuted="LoRA does not end in a more curved place than full fine-tuning, by the margin we set.",
    undecided="It is open which of the two methods ends in the more curved place.",
    also="LoRA minus full fine-tuning is {}.",
)
rates = found.runs["learning_rate"]
edge = says(
    "H-LAND-2",
    supported="The higher the learning rate, the flatter the place where full fine-tuning ends.",
    refuted="A higher learning rate does not end in a flatter place here.",
    undecided="It is open whether a higher learning rate ends in a flatter place.",
    also=f"But flat is not the same as good: at the highest rate the full runs end at a validation loss of {at_rate(max(rates))}, "
    f"at the lowest at {at_rate(min(rates))} (batches of eight).",
)
hill = says(
    "H-LAND-4",
    supported="The hill between LoRA and full fine-tuning is higher than that between two full runs.",
    refuted="The hill between LoRA and full fine-tuning is not higher than that between two full runs, by the margin we set.",
    undecided="It is open whether the hill between LoRA and full fine-tuning is higher than that between two full runs.",
    also="The difference is {}.",
)
learnings = (
    ("Spending examples.", price, rate_of_small, rate_of_large),
    ("LoRA and the batch size.", keeps_up, falls_behind, own_rates),
    ("Noise.", noise, full_rate),
    ("Shape.", sharper, edge),
    ("Valleys.", one_valley, hill),
)
Markdown(
    "\n".join(f"- **{title}** {' '.join(sentences)}" for title, *sentences in learnings)
    if tested
    else "No run at laptop or gpu scale has tested this yet; smoke runs are not evidence."
)

# %% [markdown]
# *What would change our mind:* the number of examples is small, and with it the number of steps of the larger batches.
# If every batch size could run to convergence, the price of a large batch should shrink to what it costs in examples
# alone, and the order of the learning rates may change. We compare curvature between ends of unequal loss: a method
# that has learned less is higher up the slope, and that affects its curvature, too. Two runs stopped at the *same* loss
# would separate the effects. And a straight line is only one path: a hill on it does not exclude a way around.
