"""What `llmlab finetune` prints before, during and after a run."""

import shlex
import statistics
import sys
from collections.abc import Iterable, Sequence

import rich.filesize
from rich import box
from rich.console import Console
from rich.table import Table

from llmlab.finetune.command.config import FinetuneConfig, TokenizedDataset
from llmlab.finetune.command.events import (
    Diverged,
    Event,
    Finished,
    Interrupted,
    Prepared,
    Step,
    Validation,
)
from llmlab.finetune.command.examples import SkippedLine
from llmlab.finetune.command.session import (
    REPORT,
    FinetuneSession,
    layer_of,
)
from llmlab.finetune.model.catalog import n_parameters
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.methods import Full, Method
from llmlab.finetune.model.qlora import QloraSpec
from llmlab.finetune.observe.layers import StepReport
from llmlab.finetune.observe.memory import Memory
from llmlab.finetune.observe.quantisation import QuantisationReport
from llmlab.gpt.alarms import Alarm
from llmlab.gpt.training import Point
from llmlab.method.console import progress
from llmlab.method.errors import LabError
from llmlab.method.judging.statistics import wilson_interval
from llmlab.runs.control import Steered
from llmlab.runs.folder import LOG, first_free

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
FEW = 3
"""Bad lines that are printed; the report has all of them."""
LITTLE_KNOWN = 0.5
"""Mean accuracy on the skills below which the base model comes from a smoke run."""
MUCH_FORGOTTEN = 0.05
"""Mean loss of accuracy above which a hint suggests replay."""


def describe(session: FinetuneSession) -> str:
    """Lines that say which model is trained, on what data, and how."""
    config, data, base = session.config, session.data, session.base
    n_test = len(data.test.tokens_NT) if data.test else 0
    n_rows = len(data.training.tokens_NT)
    packed = f" packed in {n_rows:,} rows" if n_rows != data.n_examples else ""
    replayed = f", {config.n_replayed} of them replayed" if config.n_replayed else ""
    n_tokens = config.train.steps * config.batch_size * data.training.tokens_NT.shape[1]
    return (
        f"base    {base.name}: {n_parameters(base):,} parameters, context {base.context}\n"
        f"data    {data.name}: {data.n_examples:,} examples{packed}, "
        f"{_tested(n_test, data)} to test on{_skipped_lines(data.skipped)}\n"
        f"method  {describe_method(config.method)}\n"
        f"train   {config.train.steps:,} steps of {config.batch_size} rows{replayed} "
        f"({n_tokens:,} tokens)\n"
        f"        learning rate {config.train.learning_rate:g}, {config.train.precision}, "
        f"seed {config.seed}, on {session.device}"
    )


def _tested(n_items: int, data: TokenizedDataset) -> str:
    return f"{n_items:,} others" if data.test_is_new else f"the same {n_items:,}"


def _skipped_lines(skipped: Sequence[SkippedLine]) -> str:
    """How many lines were skipped, and why, for the first of them."""
    if not skipped:
        return ""
    reasons = [f"line {bad.line}: {bad.reason}" for bad in skipped[:FEW]]
    more = [f"all of them are in {REPORT}"] if len(skipped) > FEW else []
    count = f", {len(skipped):,} bad line{'s' * (len(skipped) > 1)} left out"
    return "\n        ".join([count, *reasons, *more])


def describe_method(method: Method) -> str:
    """The method in one line."""
    match method:
        case LoraSpec(rank=rank, alpha=alpha, scaling=scaling, target_modules=targets):
            on = targets if isinstance(targets, str) else ", ".join(targets)
            return f"LoRA, rank {rank}, alpha {alpha:g} ({scaling}), {on}"
        case QloraSpec(lora=lora, four_bit=four_bit):
            twice = ", quantised twice" if four_bit.double_quantisation else ""
            return f"Q{describe_method(lora)}; NF4{twice}"
    return "full fine-tuning: every weight is trained"


def show(events: Iterable[Event], session: FinetuneSession) -> None:
    """Show the events of a run as they come.

    Raises:
        LabError: the loss became NaN or infinite, or Ctrl-C stopped the run.
    """
    total = session.config.train.steps
    often = 1 if sys.stderr.isatty() else max(1, total // 10)
    reports: list[StepReport] = []
    speed = Throughput()
    events = iter(events)
    _print_prepared(next(events), session)
    with progress("train") as report:
        for event in events:
            match event:
                case Step(point=point, report=looked):
                    speed.see(point)
                    reports += [looked] if looked else []
                    if point.step % often == often - 1 or point.step == total - 1:
                        report(point.step + 1, total, _progress_line(point, speed))
                case Validation():
                    print(
                        f"step {event.step}: test loss {event.loss:.3f}, "
                        f"{event.accuracy:.0%} of the answers right",
                        flush=True,
                    )
                case Alarm():
                    print(f"step {event.step}: {event.kind}: {event.message}", file=sys.stderr)
                case Steered():
                    print(f"step {event.step}: {event.sentence}", flush=True)
                case Diverged():
                    raise LabError(_diverged(event, session))
                case Interrupted():
                    raise LabError(_interrupted(event, session))
                case Finished():
                    finished = event
    _print_layers(reports)
    _print_accuracy(finished, session)
    print(_next_steps(session, finished))


class Throughput:
    """Tokens per second over the last steps."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._tokens = 0.0

    def see(self, point: Point) -> None:
        """Count a step; the weight of older ones decays."""
        self._seconds = 0.95 * self._seconds + point.seconds
        self._tokens = 0.95 * self._tokens + point.tokens

    def __str__(self) -> str:
        return f"{self._tokens / self._seconds:,.0f} tok/s"


def _progress_line(point: Point, speed: Throughput) -> str:
    return (
        f"loss {point.loss:.3f}, grad {point.gradient_norm:.2g}, "
        f"lr {point.learning_rate:.1e}, {speed}"
    )


def _print_prepared(prepared: Prepared, session: FinetuneSession) -> None:
    share = prepared.trained / n_parameters(session.base)
    print(f"        {prepared.trained:,} trainable parameters, {share:.1%} of the base model's\n")
    _print_memory(prepared.predicted, prepared.measured)
    if prepared.quantisation:
        _print_quantisation(prepared.quantisation)


def _print_memory(predicted: Memory, measured: Memory) -> None:
    table = _table("Memory", "predicted", "measured")
    for name, title in MEMORY.items():
        expected, found = getattr(predicted, name), getattr(measured, name)
        if expected or found:
            table.add_row(title, _bytes(expected), _bytes(found))
    _print(table)


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


def _print_layers(reports: Sequence[StepReport]) -> None:
    """Medians over the steps whose layers were measured."""
    if not reports:
        return
    table = _table("Median of the steps", "gradient norm", "update / weight")
    for layer in reports[0].gradient_norms:
        norm = statistics.median(report.gradient_norms[layer] for report in reports)
        ratio = statistics.median(report.update_ratios[layer] for report in reports)
        table.add_row(layer, f"{norm:.2g}", f"{ratio:.1e}")
    _print(table)


def _print_accuracy(finished: Finished, session: FinetuneSession) -> None:
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


def _next_steps(session: FinetuneSession, finished: Finished) -> str:
    folder = session.folder
    lines = [
        "",
        f"Trained in {finished.seconds:.0f} s. In {folder}:",
        f"  {session.saved_to.name}/, {LOG} (every step), {REPORT}",
        "Next:",
        f"  llmlab generate {folder} --prompt {shlex.quote(session.data.prompt)}",
        f"  llmlab curves {folder / LOG}",
    ]
    if not isinstance(session.config.method, Full):
        lines.append(f"  llmlab merge {folder} --out {first_free(folder.parent / 'merged')}")
    return "\n".join(lines)


def _diverged(event: Diverged, session: FinetuneSession) -> str:
    before = (
        f"the last step with a finite loss was {event.step - 1}"
        if event.step
        else "it is the first"
    )
    kept = f"the weights after it are in {session.saved_to}" if event.kept else "nothing is kept"
    return (
        f"training stopped at step {event.step}, where the loss is {event.loss:.3g} and the "
        f"gradient norm {event.gradient_norm:.3g} at the learning rate {event.learning_rate:.3g} "
        f"({before}; {kept}): start again with a lower --learning-rate."
    )


def _interrupted(event: Interrupted, session: FinetuneSession) -> str:
    return (
        f"interrupted after step {event.step} of {session.config.train.steps}; what was learned "
        f"until then is kept in {session.saved_to}."
    )


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
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
