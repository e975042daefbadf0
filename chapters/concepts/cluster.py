# %% [markdown]
# # Where the time of a step goes {#sec-cluster}
#
# We buy GPUs for their matrix products. In a large training run they spend much of their time on other things: they
# wait for neighbours, move numbers through memory, or recompute what they had no memory to keep. @fig-cluster-parts
# shows where one step of three runs goes, as `llmlab predict` sees it.

# %%
# | label: fig-cluster-parts
# | fig-cap: "Where the time of one step goes, predicted for three runs on H100 GPUs with 16-bit products. The model needs the compute; everything else is the price of its size."
# | fig-alt: "Three stacked bars. Matrix products and attention fill most of each; communication, the pipeline's bubble and waiting take more the larger the run."
# | echo: true
from llmlab.book import style
from llmlab.cluster.physics.hardware import accelerator
from llmlab.cluster.physics.plan import Plan
from llmlab.cluster.physics.prediction import predict
from llmlab.cluster.physics.shapes import shape_named

H100 = accelerator("H100")
PLANS = {
    "8B on 8": Plan(shape_named("Llama 3.1 8B"), H100, 8, 4096, 64, sharding="parameters"),
    "70B on 64": Plan(
        shape_named("Llama 3.1 70B"), H100, 64, 4096, 256, tp=4, pp=4, sharding="optimizer"
    ),
    "405B on 16,384": Plan(
        shape_named("Llama 3.1 405B"),
        H100,
        16384,
        8192,
        2048,
        tp=8,
        pp=16,
        interleave=4,
        sharding="optimizer",
        sequence_parallel=True,
    ),
}
GROUPS = {
    "matrix products, attention": ("matmul", "attention"),
    "norms, launches, optimizer": ("elementwise", "recompute", "launch", "optimizer"),
    "communication": ("tensor", "context", "expert", "pipeline", "data"),
    "bubble": ("bubble",),
    "slowest rank": ("waiting",),
}

figure, axes = style.subplots(height=2.9)
for row, plan in enumerate(PLANS.values()):
    shares, left = predict(plan).shares(), 0.0
    for (name, parts), colour in zip(GROUPS.items(), style.CYCLE, strict=False):
        width = 100 * sum(shares[part] for part in parts)
        axes.barh(row, width, left=left, color=colour, label=name if row == 0 else None)
        left += width
axes.set_yticks(range(len(PLANS)), PLANS)
axes.invert_yaxis()
axes.grid(axis="y", visible=False)
axes.set(xlabel="share of the step (%)", xlim=(0, 100))
figure.legend(loc="outside upper left", ncols=2)
figure

# %% [markdown]
# The largest layout is that of Llama 3 [@grattafiori2024llama3]. By the simulator's memory estimate it does not fit on
# an H100. The paper made it fit by freeing activations early, which the simulator does not model.
#
# ## Four ways to split a model
#
# - **Data parallelism**: every group of GPUs has the whole model and its own sequences; gradients are summed once per
#   step. ZeRO and FSDP [@rajbhandari2019zero] also split (*shard*) the optimizer state, the gradients or the weights
#   among these groups.
# - **Tensor parallelism**: matrices are cut into pieces, and partial results are summed in every layer
#   [@shoeybi2019megatron]. It needs the fastest links, so it stays inside one node.
# - **Pipeline parallelism**: the layers are cut into stages. The last stage waits for the first at the start of a step,
#   the first for the last at its end. This idle time is the *bubble*.
# - **Context and expert parallelism**: GPUs share long sequences, or the experts of a layer.
#
# ## In one formula
#
# A pipeline has $p$ stages, each cut into $v$ virtual ones (*interleaving*), and $m$ micro-batches pass through it in a
# step. If one micro-batch takes the time $t$ per stage, forward and backward, the step takes
#
# $$ T = (1 + w) \left( m\,t + \frac{p - 1}{v}\,t + c + u \right), $$ {#eq-step-time}
#
# where $c$ is the communication between stages and replicas that no computation hides, $u$ the optimizer's update, and
# $w$ the wait for the slowest GPU, as a share. The second term is the bubble of @narayanan2021megatron (section 2.2):
# relative to the work it is $(p - 1) / (v\,m)$. The last stage also has the output layer: it sets the pace in the first
# term, but the bubble is the time of the others, without it. The time $t$ itself is a sum over the kernels of a layer:
# their FLOPs over the speed they reach, their bytes over the memory bandwidth, and the sums of tensor parallelism. No
# datasheet says what share of their peak kernels and links reach; we fit these shares to published runs.
#
# One number says how good a step is: **MFU** (model FLOPs utilisation; @chowdhery2022palm, appendix B), the FLOPs that
# the model needs divided by those that the GPUs could have done in that time.
#
# ## Shrinking the bubble
#
# A larger batch means more micro-batches per pipeline, and so a smaller bubble. Interleaving divides the bubble by $v$,
# at the price of more messages.

# %%
# | label: fig-cluster-bubble
# | fig-cap: "Share of the step spent in the bubble for the 405B run of @fig-cluster-parts, by micro-batches per pipeline. Interleaving cuts the bubble."
# | fig-alt: "Two falling curves over the number of micro-batches; the one with four virtual stages lies far below the one without."
# | echo: true
from dataclasses import replace

large = PLANS["405B on 16,384"]
micro_batches = (16, 32, 64, 128, 256)
figure, axes = style.subplots(height=2.9)
for virtual, marker in zip((1, 4), style.MARKERS, strict=False):
    plans = [
        replace(large, global_batch=large.dp * number, interleave=virtual)
        for number in micro_batches
    ]
    shares = [100 * predict(plan).shares()["bubble"] for plan in plans]
    axes.plot(micro_batches, shares, marker=marker, label=f"virtual stages: {virtual}")
axes.set_xscale("log", base=2)
axes.set_xticks(micro_batches, micro_batches)
axes.set(xlabel="micro-batches per pipeline", ylabel="bubble (% of the step)", ylim=(0, None))
axes.legend()
figure

# %% [markdown]
# ## Memory decides first
#
# The fastest layout is useless if it does not fit. For each 16-bit weight Adam keeps a 32-bit master copy and two
# 32-bit moments (@sec-optimizer-state), and activations stay in memory until the backward pass
# [@korthikanti2022recomputation]. What does not fit can be computed again in the backward pass: *full* recomputation
# repeats the whole forward pass, *selective* only what is large and cheap to repeat. Libraries select differently:
# Megatron-LM repeats the core of attention, torchtitan nearly everything else [@liang2024torchtitan].

# %%
# | label: tbl-cluster-memory
# | tbl-cap: "Memory of the fullest GPU (GB) for the 8B model on eight H100s, by what the data-parallel ranks shard. An H100 has 80 GB."
# | echo: true
from IPython.display import Markdown

from llmlab.book.markup import pipe_table

rows = []
for sharding in ("none", "optimizer", "gradients", "parameters"):
    memory = predict(replace(PLANS["8B on 8"], sharding=sharding)).memory
    parts = (memory.weights, memory.gradients, memory.optimizer, memory.activations, memory.total)
    rows.append([sharding, *(f"{part / 1e9:.1f}" for part in parts)])
header = ["sharded", "weights", "gradients", "optimizer", "activations", "all"]
Markdown(pipe_table(header, rows, numeric=[1, 2, 3, 4, 5]))

# %% [markdown]
# `llmlab predict --search 64 --model "Llama 3.1 70B" --batch 256` tries all layouts that fit on 64 GPUs and ranks them.
#
# ## A cluster to play with
#
# @fig-cluster-play predicts any plan with the formulas and coefficients of `llmlab predict`. Double the GPUs at the
# same batch size: the step gets shorter, and the bubble's share grows. Move from tensor to pipeline parallelism:
# communication turns into bubble. Then press *Fastest that fits*, and see which of the two a search prefers.

# %%
# | label: fig-cluster-play
# | fig-cap: "Step time and memory of a plan. On screen: any plan, computed again at each change. In print: the initial plan, a 70B model on 64 H100s."
# | fig-alt: "Two panels of bars. In the step, matrix products take most of the time, communication and the bubble some of the rest. In the memory, activations take most, below the dashed line of what the GPU has."
from llmlab.book.show import playground
from llmlab.cluster.explorer import step_view
from llmlab.cluster.physics.coefficients import calibrated
from llmlab.cluster.physics.hardware import accelerators
from llmlab.cluster.physics.shapes import SHAPES

opening = predict(replace(PLANS["70B on 64"], sequence_parallel=True))
playground(
    "A cluster to play with",
    step_view(opening, SHAPES, list(accelerators().values()), calibrated()),
)

# %% [markdown]
# The search on this page tries the values that its fields offer; the command tries every layout that divides evenly.
#
# ## When things break
#
# A step is not a run. In Llama 3's pre-training [@grattafiori2024llama3, section 3.3.4] something stopped thousands of
# GPUs every few hours. Each time, the work since the last checkpoint is lost. Suppose that saving stops training for
# $\delta$ seconds and that an interruption comes every $M$ seconds on average. Then saving every
#
# $$ \tau = \sqrt{2\,\delta\,M} $$ {#eq-young}
#
# seconds loses least, to first order [@young1974checkpoint]: at this interval the share of time spent on saving,
# $\delta / \tau$, equals the expected share of work lost, $\tau / 2M$. @daly2006checkpoint gives the share of the time
# that is left.

# %%
# | label: fig-cluster-goodput
# | fig-cap: "Share of the time left for useful work (*goodput*), by the interval between checkpoints (Daly's model): 16,384 GPUs, interrupted as often as Llama 3's, with half a minute for a checkpoint and ten minutes for a restart. Dot: Young's interval."
# | fig-alt: "A curve that rises steeply, is flat around Young's interval and falls slowly."
# | echo: true
import numpy as np

from llmlab.cluster.wear.causes import mean_time_between
from llmlab.cluster.wear.checkpoints import Wear, goodput, young

wear = Wear(between=mean_time_between(16384), save=30, restart=600)
intervals = np.geomspace(young(wear) / 16, 16 * young(wear), 60)
figure, axes = style.subplots(height=2.9)
axes.plot(intervals / 60, [100 * goodput(wear, interval) for interval in intervals])
axes.plot(young(wear) / 60, 100 * goodput(wear, young(wear)), "o", color=style.VERMILION)
axes.set_xscale("log")
axes.set_xticks((1, 10, 100), (1, 10, 100))
axes.set(xlabel="minutes between checkpoints", ylabel="useful time (%)")
figure

# %%
Markdown(
    f"This run is interrupted every {wear.between / 3600:.1f} hours on average, and should save every "
    f"{young(wear) / 60:.0f} minutes."
)

# %% [markdown]
# ## What the book tests
#
# - How accurate are such predictions, for models that the coefficients have not seen? @sec-results-cluster-prediction
# - What stops a run from growing: the bubble, communication, or the slowest GPU? @sec-results-cluster-scaling
# - What do interruptions cost, and is Young's interval good enough? @sec-results-cluster-goodput
