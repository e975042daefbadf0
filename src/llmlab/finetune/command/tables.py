"""Tables of a run: memory and four bits before training, layers and accuracy after it."""

import statistics
import sys
from collections.abc import Sequence

import rich.filesize
from rich import box
from rich.table import Table

from llmlab.finetune.command.config import FinetuneConfig
from llmlab.finetune.command.events import Finished, Prepared
from llmlab.finetune.command.session import FinetuneSession, layer_of
from llmlab.finetune.model.catalog import n_parameters
from llmlab.finetune.observe.layers import StepReport
from llmlab.finetune.observe.memory import Memory
from llmlab.finetune.observe.quantisation import QuantisationReport
from llmlab.method.judging.statistics import wilson_interval
from llmlab.method.plain import plain_console

MEMORY = {
    "weights": "weights of the base",
    "constants": "quantisation constants",
    "adapter": "adapter",
    "gradients": "gradients",
    "optimizer": "optimizer",
    "activations": "activations",
    "total": "sum",
}
BARS = "▁▂▃▄▅▆▇█"
WIDTH = 80
LITTLE_KNOWN = 0.5
"""Mean accuracy on the skills below which the base model comes from a smoke run."""
MUCH_FORGOTTEN = 0.05
"""Mean loss of accuracy above which a hint suggests replay."""


def print_prepared(prepared: Prepared, session: FinetuneSession) -> None:
    share = prepared.trained / n_parameters(session.base)
    print(f"        {prepared.trained:,} trainable parameters, {share:.1%} of the base model's\n")
    _print_memory(prepared.predicted, prepared.measured)
    if prepared.quantisation:
        _print_quantisation(prepared.quantisation)


def _print_memory(predicted: Memory | None, measured: Memory) -> None:
    table = _table("Memory", *(["predicted"] if predicted else []), "measured")
    for name, title in MEMORY.items():
        parts = [getattr(memory, name) for memory in (predicted, measured) if memory]
        if any(parts):
            table.add_row(title, *map(_bytes, parts))
    _print(table)
    if predicted is None:
        print("No prediction: this model cannot be run on tensors without numbers.\n")


def _print_quantisation(found: QuantisationReport) -> None:
    """A table of blocks by kinds of layers, then the use of the 16 levels."""
    errors: dict[str, dict[str, str]] = {}
    for layer in found.layers:
        block = layer_of(f"{layer.layer}.weight")
        kind = layer.layer.rpartition(".")[2]
        errors.setdefault(block, {})[kind] = f"{layer.relative_error:.1%}"
    kinds = list(dict.fromkeys(kind for row in errors.values() for kind in row))
    print("Error of the 4-bit weights, for each block:")
    table = _table("block", *(kind.removesuffix("_proj") for kind in kinds))
    shared = _shared_path(list(errors))
    for block, row in errors.items():
        table.add_row(block.removeprefix(shared), *(row.get(kind, "") for kind in kinds))
    _print(table)
    shares = found.level_shares
    highest = max(shares)
    bars = (BARS[min(7, int(8 * share / highest))] for share in shares)
    print(f"all: {found.relative_error:.2%}; {found.bits_per_weight:.3f} bits per weight\n")
    print("The 16 levels, the percentage of the weights at each, and a picture of it:")
    for row in (
        (f"{level:.2f}".replace("0.", ".") for level in found.levels),
        (f"{100 * share:.1f}" for share in shares),
        bars,
    ):
        print("".join(f"{text:>5}" for text in row))
    print()


def _shared_path(blocks: Sequence[str]) -> str:
    """The prefix that all blocks share, such as "model.layers."."""
    parents = {block.rpartition(".")[0] for block in blocks}
    return f"{parents.pop()}." if len(parents) == 1 else ""


def print_layers(reports: Sequence[StepReport]) -> None:
    """Medians over the steps whose layers were measured."""
    if not reports:
        return
    table = _table("Median of the steps", "gradient norm", "update / weight")
    for layer in reports[0].gradient_norms:
        norm = statistics.median(report.gradient_norms[layer] for report in reports)
        ratio = statistics.median(report.update_ratios[layer] for report in reports)
        table.add_row(layer, f"{norm:.2g}", f"{ratio:.1e}")
    _print(table)


def print_accuracy(finished: Finished, session: FinetuneSession) -> None:
    table = _table("Exact answers", "before", "after", "interval", "items")
    before, after = finished.before, finished.after
    if after.accuracy is not None:
        name = session.data.name
        table.add_row(name, *_shares(before.accuracy, after.accuracy, after.n_items))
    for name, accuracy in after.suites.items():
        table.add_row(
            f"{name} (known before)",
            *_shares(before.suites[name], accuracy, session.config.suite_items),
        )
    if table.rows:
        _print(table)
    if finished.forgetting is not None:
        print(_forgetting(finished.forgetting, session.config))
    if after.text_loss is not None:
        print(
            "Forgetting: the loss on ordinary text, Python's standard library, goes from "
            f"{before.text_loss:.3f} to {after.text_loss:.3f} nats per token."
        )
    if before.suites and statistics.mean(before.suites.values()) < LITTLE_KNOWN:
        print("The base model knew little. A better one takes three minutes to train:")
        print("  llmlab run base_model --scale laptop")


def _forgetting(share: float, config: FinetuneConfig) -> str:
    lost = f"Forgetting: {100 * share:.1f} points, mean of the four"
    if share < MUCH_FORGOTTEN or config.n_replayed:
        return f"{lost}."
    return f"{lost}; --replay 0.2 rehearses what it knew."


def _shares(before: float, after: float, n_items: int) -> tuple[str, ...]:
    interval = wilson_interval(round(after * n_items), n_items)
    between = f"{interval.low:.1%} – {interval.high:.1%}"
    return f"{before:.1%}", f"{after:.1%}", between, f"{n_items:,}"


def _bytes(number: int) -> str:
    return rich.filesize.decimal(number) if number else "–"


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    first, *others = titles
    table.add_column(first)
    for title in others:
        table.add_column(title, justify="right")
    return table


def _print(table: Table) -> None:
    """Print to the width of the terminal, or of 80 columns in a log."""
    plain_console(None if sys.stdout.isatty() else WIDTH).print(table)
