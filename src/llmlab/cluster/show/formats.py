"""Format events as log lines: text in the style of PyTorch, JSON lines, or MLPerf's format.

MLPerf's format follows `mlperf-logging`: `:::MLLOG` and a JSON object with key, value, event type
and time in milliseconds.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import singledispatch

from llmlab.cluster.show.events import (
    Event,
    GpuRow,
    GpuTable,
    Message,
    RunEnd,
    RunStart,
    Saved,
    Step,
    Validation,
)
from llmlab.method.errors import LabError

Format = Callable[[Event, datetime], Iterator[str]]
"""Takes an event and the date at which the show began; yields lines."""


def format_named(name: str) -> Format:
    """Find a format by name.

    Raises:
        LabError: there is no such format.
    """
    if name not in FORMATS:
        raise LabError(f"--format cannot be {name}; use one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def text_lines(event: Event, began: datetime) -> Iterator[str]:
    """Lines in the style of Python's `logging`."""
    when = began + timedelta(seconds=event.at)
    stamp = f"{when:%Y-%m-%d %H:%M:%S},{when.microsecond // 1000:03d}"
    level, source, rank = "INFO", "trainer", 0
    if isinstance(event, Message):
        level, source, rank = event.level, event.source, event.rank
    for line in said(event):
        yield f"{stamp} [{level}] [rank{rank}] {source}: {line}"


def json_lines(event: Event, began: datetime) -> Iterator[str]:
    """One JSON object with the event's fields."""
    when = began + timedelta(seconds=event.at)
    yield json.dumps({"event": type(event).__name__, "time": when.isoformat(), **asdict(event)})


def mlperf_lines(event: Event, began: datetime) -> Iterator[str]:
    """MLPerf's training log, with additional keys for checkpoints and warnings."""
    when = began + timedelta(seconds=event.at)
    for kind, key, value, metadata in _mlperf_entries(event):
        entry = {
            "namespace": "",
            "time_ms": round(when.timestamp() * 1000),
            "event_type": kind,
            "key": key,
            "value": value,
            "metadata": metadata,
        }
        yield f":::MLLOG {json.dumps(entry)}"


FORMATS: dict[str, Format] = {"text": text_lines, "jsonl": json_lines, "mlperf": mlperf_lines}


@singledispatch
def said(event: Event) -> list[str]:
    """Describe an event in one or more lines."""
    raise TypeError(f"{type(event).__name__} has no words")


@said.register
def _(event: Message) -> list[str]:
    return [event.text]


@said.register
def _(event: RunStart) -> list[str]:
    return [
        f"run {event.name}: {event.model}, {event.parameters / 1e9:.2f}B parameters",
        f"{event.gpus} x {event.gpu}, {event.layout}",
        f"{event.steps:,} steps of {event.global_batch} x {event.seq_len} tokens",
    ]


@said.register
def _(event: Step) -> list[str]:
    return [
        f"step {event.step}/{event.steps} | loss {event.loss:.4f} | "
        f"grad norm {event.grad_norm:.3f} | lr {event.learning_rate:.2e} | "
        f"{event.seconds:.2f} s | {short(event.tokens_per_s)} tok/s | "
        f"MFU {100 * event.mfu:.1f} % | left {duration(event.left_s)}"
    ]


@said.register
def _(event: Validation) -> list[str]:
    return [f"validation at step {event.step}: loss {event.loss:.4f}, {event.seconds:.1f} s"]


@said.register
def _(event: Saved) -> list[str]:
    total = sum(file.bytes for file in event.files)
    what = "exported model" if event.is_export else "saved checkpoint"
    whole = f"{what} {event.folder}: {len(event.files)} files, {size(total)}, {event.seconds:.1f} s"
    if not event.is_export:
        return [whole]
    return [*(f"wrote {file.name} ({size(file.bytes)})" for file in event.files), whole]


@said.register
def _(event: GpuTable) -> list[str]:
    rows = [_gpu_line(f"node-{row.node:04d} gpu {row.gpu}", row) for row in event.rows]
    return rows + ([_gpu_line(f"{event.others} others", event.rest)] if event.rest else [])


@said.register
def _(event: RunEnd) -> list[str]:
    validation = event.validation_loss
    checked = f", validation {validation:.4f}" if validation is not None else ""
    return [
        f"run {event.name} finished: {event.steps:,} steps, {short(event.tokens)} tokens, "
        f"loss {event.loss:.4f}{checked}",
        f"took {duration(event.seconds)}, {event.interruptions} interruptions, "
        f"goodput {100 * event.goodput:.1f} %",
    ]


def short(number: float) -> str:
    """A number with three digits and a unit: 1.23M."""
    for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g}{letter}"
    return f"{number:.3g}"


def size(count: int) -> str:
    """Bytes with a unit."""
    for unit, letter in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.2f} {letter}"
    return f"{count} B"


def duration(seconds: float) -> str:
    """The two largest units of a duration: 3d04h, 2h10min, 4min05s, 12s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02d}h"
    if hours:
        return f"{hours}h{minutes:02d}min"
    return f"{minutes}min{rest:02d}s" if minutes else f"{rest}s"


def _gpu_line(name: str, row: GpuRow) -> str:
    return (
        f"{name}: {row.utilisation:.0f} %, {row.memory_gb:.1f} GB, "
        f"{row.temperature_c:.0f} C, {row.power_w:.0f} W"
    )


def _mlperf_entries(event: Event) -> Iterator[tuple[str, str, object, dict]]:
    """Type, key, value and metadata of each entry."""
    if isinstance(event, RunStart):
        yield "POINT_IN_TIME", "global_batch_size", event.global_batch, {}
        yield "POINT_IN_TIME", "max_sequence_length", event.seq_len, {}
        yield "INTERVAL_START", "init_start", None, {}
    elif isinstance(event, Step):
        if event.step == 1:
            yield "INTERVAL_END", "init_stop", None, {}
            yield "INTERVAL_START", "run_start", None, {}
        values = {
            "train_step_time": event.seconds,
            "reduced_train_loss": event.loss,
            "throughput": event.tokens_per_s,
        }
        metadata = {"step": event.step, "lr": event.learning_rate}
        yield "POINT_IN_TIME", "tracked_stats", values, metadata
    elif isinstance(event, Validation):
        yield "POINT_IN_TIME", "eval_accuracy", event.loss, {"step": event.step}
    elif isinstance(event, Saved):
        size_of = {"step": event.step, "files": len(event.files), "seconds": event.seconds}
        yield "POINT_IN_TIME", "checkpoint", event.folder, size_of
    elif isinstance(event, Message) and event.level != "INFO":
        yield "POINT_IN_TIME", event.level.lower(), event.text, {"rank": event.rank}
    elif isinstance(event, RunEnd):
        yield "INTERVAL_END", "run_stop", None, {"status": "success", "step": event.steps}
