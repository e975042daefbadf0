"""`llmlab simulate` in a pipe, and what it refuses."""

import json
import os
import pty
import resource
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llmlab.cluster.show.events import Message
from llmlab.cluster.show.formats import text_lines
from llmlab.cluster.simulate_command import _present, app
from llmlab.method.errors import LabError

QUICK = ["--speed", "1e9", "--gpus", "8", "--model", "1B", "--seed", "1"]


def simulate(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, LabError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "scenario.toml"
    path.write_text("steps = 3\n", encoding="utf-8")
    return path


def test_a_pipe_gets_plain_lines(scenario: Path) -> None:
    output = simulate(*QUICK, "--scenario", str(scenario), "--exit-after-runs", "1")
    assert "step 3/3 | loss" in output
    assert "\x1b" not in output


def test_a_log_holds_the_lines_that_were_shown(scenario: Path, tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    more = ["--exit-after-runs", "1", "--log", str(log), "--format", "jsonl"]
    output = simulate(*QUICK, "--scenario", str(scenario), *more)
    assert log.read_text(encoding="utf-8") == output
    assert json.loads(output.splitlines()[-1])["event"] == "RunEnd"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gpus", "0"], "--gpus cannot be 0; give a number from 1 up"),
        (["--speed", "0"], "--speed cannot be 0; write a positive number"),
        (["--speed", "nan"], "--speed cannot be nan; write a positive number"),
        (["--model", "Lama 3.1 8B"], "there is no model"),
        (["--exit-after-time", "soon"], "'soon' is not a time"),
        (["--exit-after-time", ""], "'' is not a time"),
        (["--exit-after-time", "0s"], "0s leaves no time for a show"),
        (["--format", "xml"], "use one of text"),
        (["--scenario", "nowhere.toml"], "cannot read nowhere.toml"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], words: str) -> None:
    with pytest.raises(LabError, match=words):
        simulate(*arguments)


def test_a_typo_in_a_scenario_is_named(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text("gpuss = 8\n", encoding="utf-8")
    with pytest.raises(LabError, match='unknown field "gpuss"'):
        simulate("--scenario", str(path))


@pytest.mark.parametrize(
    "field",
    [
        f"steps = {'9' * 400}",
        f"validate_every = {'9' * 30}",
        "hours_between = 1e-12",
        "hours_between = nan",
        "warnings_per_hour = inf",
        "spikes_per_hour = 1e300",
    ],
)
def test_a_number_of_a_scenario_beyond_all_bounds_is_refused(tmp_path: Path, field: str) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(f"{field}\n", encoding="utf-8")
    with pytest.raises(LabError, match=rf"{field.split()[0]} is .*: input should be"):
        simulate("--scenario", str(path))


def test_a_refused_show_writes_no_log(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    with pytest.raises(LabError, match="there is no model"):
        simulate("--model", "nothing", "--log", str(log))
    assert not log.exists()


def test_a_log_that_the_disk_has_no_room_for_is_named(scenario: Path, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
    try:
        with pytest.raises(LabError, match=r"cannot write .*run\.log: File too large"):
            simulate(*QUICK, "--scenario", str(scenario), "--log", str(tmp_path / "run.log"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


PATIENCE = 120
"""Seconds, for a busy machine; less than the show waits where it is interrupted."""


@contextmanager
def started(*arguments: str, **streams: int) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "llmlab", "simulate", *QUICK, *arguments]
    environment = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(command, env=environment, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_closed_pipe_ends_quietly() -> None:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started("--speed", "1e9", **pipes) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == b""


def read_until(terminal: int, words: bytes) -> bytes:
    """What a terminal gets up to these words, or until it gets nothing for long."""
    seen = b""
    while words not in seen and select.select([terminal], [], [], PATIENCE)[0]:
        seen += os.read(terminal, 4096)
    return seen


def test_ctrl_c_ends_at_once_and_restores_the_terminal() -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with started("--speed", "0.001", "--instant", "300", **streams) as process:
        seen = read_until(ours, b"left")  # now it waits minutes for its next line
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        seen += read_until(ours, b"\x1b[?25h")
    assert termios.tcgetattr(theirs) == before
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") >= 0
    assert b"Traceback" not in seen
    os.close(ours)
    os.close(theirs)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_sentence() -> None:
    with (
        Path("/dev/full").open("w", encoding="utf-8") as full,
        redirect_stdout(full),
        pytest.raises(
            LabError, match=r"cannot write the output: No space left .*; free some space"
        ),
    ):
        _present(iter([Message(0.0, "a" * 9000)]), text_lines, datetime(2026, 1, 1))
