import os
import pty
import re
import subprocess
import sys

import pytest

from llmlab.method.console import print_reproduction, progress
from llmlab.method.evidence.reproduction import Agreement, Difference

STEPS = """
from llmlab.method.console import progress
with progress("toy smoke") as report:
    report(2, 4, "starting")
    report(4, 4, "rate=[1]/seed=0")
"""


def test_a_log_gets_one_line_for_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("toy smoke") as report:
        report(2, 4, "starting")
        report(3, 4, "seed=0")
    first, second = capsys.readouterr().err.splitlines()
    assert first == "toy smoke 2/4, 0:00:00 elapsed: starting"
    assert second == "toy smoke 3/4, 0:00:00 elapsed, about 0:00:00 left: seed=0"


def test_the_time_left_counts_only_what_was_done_now(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 100.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with progress("toy laptop") as report:
        report(90, 100, "starting")
        report(91, 100, "seed=0")
    assert capsys.readouterr().err.endswith("0:01:40 elapsed, about 0:15:00 left: seed=0\n")


def test_a_terminal_gets_a_bar() -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-c", STEPS]
    subprocess.run(command, stderr=theirs, env=environment, check=True)
    os.close(theirs)
    shown = re.sub(r"\x1b\[[\d;?]*\w", "", os.read(ours, 10_000).decode())
    os.close(ours)
    assert "toy smoke ━━" in shown
    assert "4/4" in shown
    assert "rate=[1]/seed=0" in shown


def test_only_what_does_not_agree_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    drift = Difference("seed=0", "loss", 2.0, 1.0, absolute=1.0, tolerance=0.5)
    agreement = Agreement("toy", "smoke", 2, 2, (), drift, (drift,), {"loss": 1.0}, ())
    print_reproduction([agreement], "smoke")
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "toy" in line]
    assert row.split("│")[-2].strip() == "values that differ: 1"
