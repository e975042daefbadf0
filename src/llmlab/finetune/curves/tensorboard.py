"""Curves from TensorBoard's event files: all files of a folder are one run."""

import math
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from llmlab.finetune.curves.readings import LARGEST, Omissions, Point, Readings
from llmlab.finetune.curves.tfrecords import Lost, records
from llmlab.method.errors import LabError

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.tensor_pb2 import TensorProto

EVENTS = "events.out.tfevents"

KINDS = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
"""Types of a tensor's bytes, by TensorFlow's number: float, double, int32, int64, half."""


@dataclass(frozen=True)
class EventFile:
    """What one file holds.

    Attributes:
        began: time of its first event, in seconds; infinite if there is none.
        points: in the order of their events.
    """

    file: Path
    began: float
    points: tuple[Point, ...]


def read_events(files: Sequence[Path], name: str, prefixes: Sequence[str] = ()) -> Readings:
    """The scalars of event files of one run.

    A run that is resumed goes on in a new file, from its last checkpoint: where two files hold a
    curve, the later one counts from its first step on.

    Args:
        prefixes: for each file the prefix of its tags, such as the folder that it lies in.

    Raises:
        LabError: none of the files holds a scalar, or TensorBoard is not installed.
    """
    left_out = Omissions()
    found = [
        _read_file(file, prefix, left_out)
        for file, prefix in zip(files, prefixes or [""] * len(files), strict=True)
    ]
    found.sort(key=lambda one: (one.began, one.file.name))
    points, notes = _merged([one for one in found if one.points])
    if not points:
        kept = "; ".join(left_out.notes())
        raise LabError(
            f"{files[0]} holds no scalar: it is not an event file of TensorBoard, or nothing was "
            f"logged{f' ({kept})' if kept else ''}; give another file."
        )
    return Readings({name: points}, (*notes, *left_out.notes()))


def _merged(files: Sequence[EventFile]) -> tuple[list[Point], tuple[str, ...]]:
    """The points of all files, and a note if a later one replaces points of an earlier one."""
    kept: list[Point] = []
    replaced = 0
    for one in files:
        begins: dict[str, int] = {}
        for tag, step, _ in one.points:
            begins[tag] = min(step, begins.get(tag, step))
        before = len(kept)
        kept = [point for point in kept if point[1] < begins.get(point[0], LARGEST + 1)]
        replaced += before - len(kept)
        kept += one.points
    if len(files) < 2:
        return kept, ()
    note = f"{len(files)} event files are read as one run"
    if replaced:
        note += f"; {replaced} points of earlier ones are left out, since a later one repeats them"
    return kept, (note,)


def _read_file(file: Path, prefix: str, left_out: Omissions) -> EventFile:
    began, points = math.inf, []
    for event in _events(file, left_out):
        began = min(began, event.wall_time) if math.isfinite(event.wall_time) else began
        for value in event.summary.value:
            number = _number(value)
            if abs(event.step) > LARGEST:
                left_out.add("a value at an impossible step", file.name, value.tag)
            elif number is None:
                left_out.add("a value that is not a scalar", file.name, value.tag)
            else:
                points.append((prefix + value.tag, event.step, number))
    return EventFile(file, began, tuple(points))


def _events(file: Path, left_out: Omissions) -> Iterator["Event"]:
    try:
        from google.protobuf.message import DecodeError
        from tensorboard.compat.proto.event_pb2 import Event
    except ImportError as error:
        raise LabError(
            f"{file} is TensorBoard's, which is not installed: pip install 'llmlab[events]'."
        ) from error
    for record in _records(file):
        if isinstance(record, Lost):
            place = f"{file.name}, bytes {record.start} to {record.stop}"
            left_out.add("a damaged or cut part", place)
            continue
        try:
            yield Event.FromString(record)
        except DecodeError:
            left_out.add("a record that is not an event", file.name)


def _records(file: Path) -> Iterator[bytes | Lost]:
    if not file.stat().st_size:  # the run has not logged anything into it yet
        return
    with (
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        yield from records(content)


def _number(value: object) -> float | None:
    """The scalar of a summary's value, in the old or the new form."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return value.simple_value
    return _scalar(value.tensor) if kind == "tensor" else None


def _scalar(tensor: "TensorProto") -> float | None:
    """The only number of a tensor; None if it holds another count or no numbers."""
    if any(dimension.size != 1 for dimension in tensor.tensor_shape.dim):
        return None
    if tensor.tensor_content:
        kind = np.dtype(KINDS.get(tensor.dtype, "V"))
        is_one = kind.itemsize == len(tensor.tensor_content)
        return float(np.frombuffer(tensor.tensor_content, kind)[0]) if is_one else None
    fields = (tensor.float_val, tensor.double_val, tensor.int_val, tensor.int64_val)
    numbers = [number for values in fields for number in values[:2]]
    return float(numbers[0]) if len(numbers) == 1 else None
