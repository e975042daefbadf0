import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llmlab.method.running import lease as leasing
from llmlab.method.running.lease import lease

HOLD = """
import sys, time
from pathlib import Path
from llmlab.method.running.lease import lease
with lease(sys.argv[2].split(","), int(sys.argv[3]), Path(sys.argv[1])) as gpus:
    print(*gpus, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def hold(tmp_path: Path):
    """Starts processes that hold GPUs until the test ends."""
    started: list[subprocess.Popen] = []

    def start(gpus: str, most: int) -> tuple[subprocess.Popen, list[str]]:
        command = [sys.executable, "-c", HOLD, str(tmp_path), gpus, str(most)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, process.stdout.readline().split()

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_lease_takes_what_is_free_up_to_what_it_asked_for(tmp_path: Path, hold) -> None:
    _, first = hold("a,b,c", 2)
    assert first == ["a", "b"]
    with lease(["a", "b", "c"], 2, tmp_path) as second:
        assert second == ("c",)


def test_a_killed_holder_gives_its_gpu_back_to_who_waits(tmp_path: Path, hold) -> None:
    holder, _ = hold("a", 1)
    told = []

    def waiting() -> None:
        told.append("waiting")
        os.kill(holder.pid, signal.SIGKILL)

    with lease(["a"], 1, tmp_path, waiting=waiting) as taken:
        assert taken == ("a",)
    assert told == ["waiting"]


def test_a_machine_without_gpus_leases_none(tmp_path: Path) -> None:
    with lease([], 4, tmp_path / "locks") as taken:
        assert taken == ()
    assert not (tmp_path / "locks").exists()


def _use(locks: Path, log: Path) -> None:
    with lease(["a", "b"], 1, locks) as (gpu,), log.open("a") as file:
        file.write(f"{gpu} taken\n")
        file.flush()
        time.sleep(0.05)
        file.write(f"{gpu} given back\n")


def test_two_processes_never_hold_one_gpu(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(leasing, "POLL_SECONDS", 0.01)
    log = tmp_path / "log"
    fork = multiprocessing.get_context("fork")
    users = [fork.Process(target=_use, args=(tmp_path / "locks", log)) for _ in range(8)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    events = log.read_text().splitlines()
    for gpu in "ab":
        of_gpu = [event for event in events if event.startswith(gpu)]
        assert of_gpu == [f"{gpu} taken", f"{gpu} given back"] * (len(of_gpu) // 2)
    assert len(events) == 16


@pytest.mark.parametrize(
    ("visible", "chosen"),
    [
        (None, ("GPU-a", "GPU-b")),
        ("", ()),
        ("1", ("GPU-b",)),
        ("1, 0", ("GPU-b", "GPU-a")),
        ("GPU-b", ("GPU-b",)),
        ("MIG-x", ("MIG-x",)),
        ("1,-1,0", ("GPU-b",)),
        ("7", ()),
    ],
)
def test_only_what_cuda_would_show_is_leased(visible: str | None, chosen) -> None:
    assert leasing._chosen({"0": "GPU-a", "1": "GPU-b"}, visible) == chosen
