import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from llmlab.method.declare.experiment import Trial
from llmlab.method.errors import LabError
from llmlab.method.evidence.provenance import GitState
from llmlab.method.running import worker
from llmlab.method.running.parts import Part, Parts, trials
from llmlab.method.running.worker import work, work_together, worker_environment

CODE = GitState("0123", dirty=True)


def part_of_one_run(lab, folder: Path, old: str, new: str) -> Part:
    lab.add()
    toy = lab.edit("toy", old, new)
    trial = next(trials(toy, "smoke", {}, folder))
    parts = Parts(folder)
    assert work(trial, parts, CODE) is None
    return parts.read(trial.run_id)


def test_a_part_holds_the_row_the_curves_and_where_they_come_from(lab, tmp_path: Path) -> None:
    part = part_of_one_run(lab, tmp_path, '"pause": 0.0', '"pause": 0.01')
    row = part.row
    assert list(row) == [
        *("run_id", "rate", "seed", "loss"),
        *("status", "seconds", "tokens", "peak_memory_mib"),
    ]
    assert row["seconds"] >= 0.01
    assert row["peak_memory_mib"] > 1
    assert part.curves["loss"][0] == (0, 1.0)
    assert part.started <= part.finished
    assert " x " in part.device
    assert part.commit == "0123 with changes"


def test_memory_that_a_run_measured_itself_is_kept(lab, tmp_path: Path) -> None:
    part = part_of_one_run(lab, tmp_path, "tokens=3", "tokens=3, peak_memory_mib=1234")
    assert part.row["peak_memory_mib"] == 1234.0


SWEEP = """

def run_together(sweep, trials):
    yield trials[:3], lambda: [run(trial) for trial in trials[:3]]
    raise ValueError("no more")


EXPERIMENT = Sweep(
    describe=dict,
    together=run_together,"""


def sweep_trials(lab, folder: Path) -> list[Trial]:
    """The four trials of a toy that runs three at once and then raises."""
    lab.add()
    lab.edit("toy", "Trial\n\n", "Trial\nfrom llmlab.method.declare.sweep import Sweep\n\n")
    lab.edit("toy", '"pause": 0.0}', '"pause": 0.02}')
    toy = lab.edit("toy", "\n\nEXPERIMENT = Experiment(", SWEEP)
    return list(trials(toy, "smoke", {}, folder))


def test_runs_at_once_share_their_seconds(lab, tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    chosen = sweep_trials(lab, tmp_path)
    clock = time.perf_counter()
    work_together(chosen, parts, CODE)
    elapsed = time.perf_counter() - clock
    seconds = {parts.read(trial.run_id).row["seconds"] for trial in chosen[:3]}
    (share,) = seconds
    assert 3 * 0.02 <= 3 * share <= elapsed


def test_what_ends_a_sweep_is_told_of_the_runs_left(lab, tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    chosen = sweep_trials(lab, tmp_path)
    assert work_together(chosen, parts, CODE) == {chosen[3].run_id: "ValueError: no more"}
    assert [parts.read(trial.run_id) is None for trial in chosen] == [False] * 3 + [True]
    assert 'raise ValueError("no more")' in parts.error_path(chosen[3].run_id).read_text()


PEAKS = """
from llmlab.method.evidence.provenance import GitState
from llmlab.method.running import worker

worker._reset_peak_memory()
print(worker._peak_memory())
block = bytearray(64 * 1024**2)
print(worker._peak_memory())
del block
worker._reset_peak_memory()
print(worker._peak_memory())
"""


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="peak memory cannot be reset here"
)
def test_peak_memory_is_that_of_the_present_run() -> None:
    # a process of its own, since others before may have told this one to keep what it frees
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, check=True)
    before, during, after = map(float, done.stdout.split())
    assert during > before + 50
    assert after < before + 50


def test_the_environment_of_workers_ends_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    before = dict(os.environ)
    with worker_environment(3):
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "3"
        assert os.environ["PYTHONHASHSEED"] == "0"
    assert dict(os.environ) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="PyTorch sees a GPU here")
def test_a_run_that_could_not_use_its_gpu_is_no_result(
    lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(worker.GPU, "GPU-1")
    lab.add()
    toy = lab.edit("toy", "import random", "import random\n\nimport torch  # noqa: F401")
    trial = next(trials(toy, "smoke", {}, tmp_path))
    with pytest.raises(LabError, match=r"PyTorch .* cannot use the GPU .*; install a build for"):
        work(trial, Parts(tmp_path), CODE)
    assert Parts(tmp_path).read(trial.run_id) is None
