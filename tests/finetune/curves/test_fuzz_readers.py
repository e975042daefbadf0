"""Damaged files of every form: read, or refused in a sentence."""

import io
import json
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing import ROUNDS, assert_survives, mutated_bytes, mutated_json, mutated_lines, overwrite
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from llmlab.finetune.curves.readers import read_runs
from llmlab.finetune.curves.report import has_loss, report
from llmlab.finetune.curves.tfrecords import masked_crc32c

STEPS = range(8)
OURS = [
    {"event": "run", "seed": 0, "config": {"steps": 8}},
    *({"event": "point", "step": s, "loss": 3 - s / 4, "gradient_norm": 1.0} for s in STEPS),
    {"event": "validation", "step": 7, "loss": 1.5},
    {"event": "diverged", "step": 8, "loss": "nan", "gradient_norm": "inf"},
]
THEIRS = [
    *({"current_steps": s, "total_steps": 8, "loss": 3 - s / 4, "lr": 1e-4} for s in STEPS),
    {"current_steps": 8, "eval_loss": 1.5, "elapsed_time": "0:01"},
]
STATE = {
    "global_step": 8,
    "log_history": [
        *({"step": s, "epoch": s / 8, "loss": 3 - s / 4, "grad_norm": 1.0} for s in STEPS),
        {"step": 8, "eval_loss": 1.5, "epoch": 1.0},
        {"step": 8, "train_loss": 2.0, "train_runtime": 3.0},
    ],
}
KERAS = {"loss": [3.0, 2.0, 1.5], "val_loss": [3.1, 2.5, 2.0]}
CSV = "step,loss,val_loss,host\n" + "".join(f"{s},{3 - s / 4},{3.0},a\n" for s in STEPS)
PRINTED = "".join(f"step {s}: loss {3 - s / 4}, grad norm 1.0\n" for s in STEPS)


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    checksums = (struct.pack("<I", masked_crc32c(part)) for part in (length, data))
    return length + next(checksums) + data + next(checksums)


def scalar(step: int) -> bytes:
    value = Summary.Value(tag="loss", simple_value=3 - step / 4)
    return Event(step=step, wall_time=step, summary=Summary(value=[value])).SerializeToString()


def broken_events(draw: random.Random) -> bytes:
    """Records whose checksums are right and whose data are not."""
    datas = [scalar(step) for step in STEPS]
    place = draw.randrange(len(datas))
    datas[place] = mutated_bytes(datas[place], draw)
    return b"".join(map(record, datas))


def parquet() -> bytes:
    columns = {
        "run_id": ["a"] * len(STEPS),
        "metric": ["loss"] * len(STEPS),
        "step": list(STEPS),
        "value": [3 - step / 4 for step in STEPS],
    }
    screen = io.BytesIO()
    pq.write_table(pa.table(columns), screen)
    return screen.getvalue()


def flipped(content: bytes) -> Callable[[random.Random], bytes]:
    return lambda draw: mutated_bytes(content, draw)


def joined(documents: list[object]) -> bytes:
    return "".join(json.dumps(document) + "\n" for document in documents).encode()


INPUTS = {
    "log bytes": ("log.jsonl", flipped(joined(OURS))),
    "log values": ("log.jsonl", lambda draw: mutated_lines(OURS, draw)),
    "trainer log bytes": ("trainer_log.jsonl", flipped(joined(THEIRS))),
    "trainer log values": ("trainer_log.jsonl", lambda draw: mutated_lines(THEIRS, draw)),
    "state bytes": ("trainer_state.json", flipped(json.dumps(STATE).encode())),
    "state values": ("trainer_state.json", lambda draw: mutated_json(STATE, draw)),
    "history values": ("history.json", lambda draw: mutated_json(KERAS, draw)),
    "printed bytes": ("train.log", flipped(PRINTED.encode())),
    "csv bytes": ("run.csv", flipped(CSV.encode())),
    "event bytes": ("events.out.tfevents.1", flipped(b"".join(record(scalar(s)) for s in STEPS))),
    "event values": ("events.out.tfevents.1", broken_events),
    "parquet bytes": ("curves.parquet", flipped(parquet())),
}


@pytest.mark.parametrize("name", INPUTS)
def test_damaged_files_are_read_or_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    file_name, make = INPUTS[name]
    path = tmp_path / file_name

    def read(content: bytes) -> None:
        overwrite(path, content)
        runs = read_runs(path)
        if random.Random(len(content)).random() < 0.1:  # a report takes longer than reading
            [report(run) for run in runs if has_loss(run)]

    n_read = assert_survives(read, make)
    assert n_read > 0, f"none of {ROUNDS} inputs was read"
