import os
from pathlib import Path

import pytest

from llmlab.method import worker
from llmlab.method.parts import Parts, trials
from llmlab.method.worker import work, worker_environment


def part_of_one_run(lab, folder: Path, old: str, new: str) -> dict:
    lab.add()
    toy = lab.edit("toy", old, new)
    trial = next(trials(toy, "smoke", {}, folder))
    parts = Parts(folder)
    assert work(trial, parts) is None
    return parts.read(trial.run_id)


def test_a_part_holds_the_row_the_curves_and_where_they_come_from(lab, tmp_path: Path) -> None:
    part = part_of_one_run(lab, tmp_path, '"pause": 0.0', '"pause": 0.01')
    row = part["row"]
    assert list(row) == [
        *("run_id", "rate", "seed", "loss"),
        *("status", "seconds", "tokens", "peak_memory_mib"),
    ]
    assert row["seconds"] >= 0.01
    assert row["peak_memory_mib"] > 1
    assert part["curves"]["loss"][0] == [0, 1.0]
    assert part["started"] <= part["finished"]
    assert " x " in part["device"]


def test_memory_that_a_run_measured_itself_is_kept(lab, tmp_path: Path) -> None:
    part = part_of_one_run(lab, tmp_path, "tokens=3", "tokens=3, peak_memory_mib=1234")
    assert part["row"]["peak_memory_mib"] == 1234.0


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="peak memory cannot be reset here"
)
def test_peak_memory_is_that_of_the_present_run() -> None:
    worker._reset_peak_memory()
    before = worker._peak_memory()
    block = bytearray(64 * 1024**2)
    assert worker._peak_memory() > before + 50
    del block
    worker._reset_peak_memory()
    assert worker._peak_memory() < before + 50


def test_the_environment_of_workers_ends_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    before = dict(os.environ)
    with worker_environment(3):
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "3"
        assert os.environ["PYTHONHASHSEED"] == "0"
    assert dict(os.environ) == before
