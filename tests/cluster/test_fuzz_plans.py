"""Damaged plans and damaged tables of published runs: read, or refused in a sentence."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzzing import ODD_JSON, assert_survives, mutated_bytes, mutated_json, overwrite

from llmlab.cluster.physics.planfile import read_plan
from llmlab.cluster.physics.prediction import predict_checked
from llmlab.cluster.predict_command import scored

PLAN = {
    "model": {"layers": 12, "d_model": 768, "heads": 12, "vocab": 50257},
    "gpu": "H100",
    "gpus": 8,
    "seq_len": 1024,
    "global_batch": 64,
    "tp": 2,
    "cluster": {"network": "25 GB/s", "domain": 8},
}
TOML = 'model = "7B"\ngpu = "H100"\ngpus = 8\nglobal_batch = 64\n[cluster]\nnetwork = "25 GB/s"\n'
RUNS = "source,model,layers,d_model,heads,gpus,gpu_type,seq_len_tokens," + (
    "global_batch_sequences,step_time_s\n" + "s,m,12,768,12,8,A100,1024,64,1.0\n" * 3
)


def odd_cells(draw: random.Random) -> bytes:
    lines = [line.split(",") for line in RUNS.splitlines()]
    for _ in range(draw.randint(1, 3)):
        row = draw.choice(lines)
        row[draw.randrange(len(row))] = draw.choice(ODD_JSON)
    return "\n".join(map(",".join, lines)).encode()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("plan.json", lambda draw: mutated_json(PLAN, draw)),
        ("plan.json", lambda draw: mutated_bytes(json.dumps(PLAN).encode(), draw)),
        ("plan.toml", lambda draw: mutated_bytes(TOML.encode(), draw)),
    ],
    ids=["values", "bytes", "toml"],
)
def test_fuzz_plans(name: str, make: Callable, tmp_path: Path) -> None:
    path = tmp_path / name

    def read(content: bytes) -> None:
        overwrite(path, content)
        predict_checked(read_plan(path))

    assert assert_survives(read, make) > 0


@pytest.mark.parametrize(
    "make", [odd_cells, lambda draw: mutated_bytes(RUNS.encode(), draw)], ids=["cells", "bytes"]
)
def test_fuzz_published_runs(make: Callable, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"

    def read(content: bytes) -> None:
        overwrite(path, content)
        scored(path)

    assert assert_survives(read, make) > 0
