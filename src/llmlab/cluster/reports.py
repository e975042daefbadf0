"""Output of `llmlab predict`: tables for a reader."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from llmlab.cluster.physics.prediction import Prediction
from llmlab.cluster.physics.search import SearchResult
from llmlab.cluster.scoring.score import Errors, Score
from llmlab.cluster.show.formats import short
from llmlab.cluster.wear.estimate import RunEstimate
from llmlab.method.plain import plain_console

BAR = 24
"""Length of the bar of a whole step, in characters."""
SKIPPED_SHOWN = 12
SIZES = {
    "tp": "tp",
    "pp": "pp",
    "cp": "cp",
    "ep": "ep",
    "dp": "dp",
    "mb": "micro_batch",
    "v": "interleave",
}
"""Columns of the table of plans, and the fields that they show."""
LABELS = {
    "matmul": "matrix products",
    "attention": "attention",
    "elementwise": "norms, activations",
    "recompute": "recomputation",
    "launch": "kernel launches",
    "tensor": "tensor parallel comm.",
    "context": "context parallel comm.",
    "expert": "expert comm.",
    "pipeline": "pipeline comm.",
    "data": "data parallel comm.",
    "bubble": "pipeline bubble",
    "optimizer": "optimizer",
    "waiting": "slowest rank",
}


def print_prediction(found: Prediction, estimate: RunEstimate | None) -> None:
    """Print one plan: the main numbers, the time by part, the memory by use."""
    console, plan = plain_console(), found.plan
    console.print(
        f"{plan.shape.name} ({plan.shape.parameters / 1e9:.1f}B parameters) on "
        f"{plan.gpus} x {plan.accelerator.name}: {layout(found)}"
    )
    console.print(
        f"{found.seconds:.3f} s a step, {found.tokens_per_s_per_gpu:,.0f} tokens/s/GPU, "
        f"{found.tflops_per_gpu:.0f} TFLOP/s/GPU, MFU {found.mfu:.1%}"
    )
    if estimate:
        console.print(_estimate_line(estimate))
    console.print(_parts(found, "#" if console.options.ascii_only else "█"))
    console.print(_memory(found))


def print_search(found: SearchResult, best: Sequence[Prediction]) -> None:
    """Print the best layouts of a search."""
    console, plan = plain_console(), best[0].plan
    console.print(
        f"{found.tried} layouts of {plan.shape.name} on {plan.gpus} x {plan.accelerator.name}, "
        f"{found.fitting} of them fit memory. The fastest:"
    )
    console.print(_side_by_side([(str(rank), one) for rank, one in enumerate(best, start=1)]))


def print_comparison(found: Sequence[tuple[str, Prediction]]) -> None:
    """Print plans side by side, with their time by part."""
    console = plain_console()
    console.print(_side_by_side(found))
    table = Table(title="seconds of a step", title_justify="left")
    table.add_column("part")
    for name, _ in found:
        table.add_column(name, justify="right")
    for part, label in LABELS.items():
        times = [getattr(prediction.step, part) for _, prediction in found]
        if any(times):
            table.add_row(label, *(f"{time:.3f}" for time in times))
    console.print(table)


def print_score(found: Score) -> None:
    """Print errors by source, and the skipped rows."""
    console = plain_console()
    table = Table(title="errors of the predicted step time", title_justify="left")
    table.add_column("runs")
    for name in ("rows", "mean abs.", "median abs.", "bias", "rank corr."):
        table.add_column(name, justify="right")
    for source, errors in found.by_source.items():
        table.add_row(source, *_cells(errors))
    if found.dense_16bit:
        table.add_row("dense, 16 bits", *_cells(found.dense_16bit), style="bold")
    table.add_row("all", *_cells(found.overall), style="bold")
    console.print(table)
    if found.skipped:
        console.print(f"{len(found.skipped)} rows lack what is needed:")
        for row in found.skipped[:SKIPPED_SHOWN]:
            console.print(f"  {row.row}: {row.reason}")
        if len(found.skipped) > SKIPPED_SHOWN:
            console.print(f"  and {len(found.skipped) - SKIPPED_SHOWN} more; --json names them all")


def layout(found: Prediction) -> str:
    """A plan's layout in one line."""
    plan = found.plan
    sizes = [f"tp {plan.tp}", f"pp {plan.pp}", f"cp {plan.cp}", f"dp {plan.dp}"]
    if plan.shape.experts:
        sizes.append(f"ep {plan.ep}")
    more = [f"micro-batch {plan.micro_batch}"]
    if plan.interleave > 1:
        more.append(f"interleave {plan.interleave}")
    if plan.async_tensor:
        more.append("asynchronous tensor parallelism")
    if plan.adapters:
        more.append("adapters only")
    return ", ".join([*sizes, *more, f"sharding {plan.sharding}", f"recompute {plan.recompute}"])


def _cells(errors: Errors) -> list[str]:
    return [
        str(errors.rows),
        f"{errors.mean_absolute_error:.1%}",
        f"{errors.median_absolute_error:.1%}",
        f"{errors.bias:+.1%}",
        f"{errors.rank_correlation:.2f}",
    ]


def _estimate_line(estimate: RunEstimate) -> str:
    return (
        f"{short(estimate.tokens)} tokens take {estimate.days:.1f} days "
        f"({estimate.days_without:.1f} without interruptions): "
        f"{estimate.interruptions:.0f} interruptions, one every "
        f"{estimate.hours_between:.1f} h, a checkpoint every {estimate.interval_s / 60:.0f} min, "
        f"goodput {estimate.goodput:.1%}"
    )


def _parts(found: Prediction, block: str) -> Table:
    table = Table(title="where the time goes", title_justify="left")
    table.add_column("part")
    table.add_column("seconds", justify="right")
    table.add_column("share", justify="right")
    table.add_column("")
    for part, share in found.shares().items():
        if share > 0:
            seconds = getattr(found.step, part)
            bar = block * round(share * BAR)
            table.add_row(LABELS[part], f"{seconds:.3f}", f"{share:.1%}", bar)
    return table


def _memory(found: Prediction) -> Table:
    table = Table(title="memory of the fullest GPU", title_justify="left")
    table.add_column("part")
    table.add_column("GB", justify="right")
    for part, size in vars(found.memory).items():
        table.add_row(part, f"{size / 1e9:.1f}")
    limit = found.plan.accelerator.memory / 1e9
    table.add_row(f"all, of {limit:.0f} GB", f"{found.memory.total / 1e9:.1f}", style="bold")
    return table


def _side_by_side(found: Sequence[tuple[str, Prediction]]) -> Table:
    """A table of plans, one per row, in 80 columns; omits sizes that are 1 in all plans."""
    plans = [one.plan for _, one in found]
    sizes = {
        column: [getattr(plan, name) for plan in plans]
        for column, name in SIZES.items()
        if any(getattr(plan, name) != 1 for plan in plans)
    }
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("plan", min_width=4, overflow="fold")
    for column in sizes:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("sharding", no_wrap=True)
    table.add_column("recompute", no_wrap=True)
    for column in ("s/step", "tok/s\n/GPU", "MFU", "GB"):
        table.add_column(column, justify="right", no_wrap=True)
    for row, (name, one) in enumerate(found):
        table.add_row(
            name,
            *(str(column[row]) for column in sizes.values()),
            one.plan.sharding,
            one.plan.recompute,
            f"{one.seconds:.3f}",
            f"{one.tokens_per_s_per_gpu:,.0f}",
            f"{one.mfu:.1%}",
            f"{one.memory.total / 1e9:.1f}" + ("" if one.fits else " over"),
        )
    return table
