"""`llmlab simulate` in a pipe, and what it refuses."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llmlab.cluster.simulate_command import app
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
        (["--gpus", "0"], "--gpus 0: give a number from 1 on"),
        (["--speed", "0"], "--speed 0: write a positive number"),
        (["--speed", "nan"], "--speed nan: write a positive number"),
        (["--model", "Lama 3.1 8B"], "there is no model"),
        (["--exit-after-time", "soon"], "is no duration"),
        (["--format", "xml"], "name one of text"),
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


def test_a_refused_show_writes_no_log(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    with pytest.raises(LabError, match="there is no model"):
        simulate("--model", "nothing", "--log", str(log))
    assert not log.exists()


def started(speed: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "llmlab", "simulate", *QUICK, "--speed", speed]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_closed_pipe_ends_quietly() -> None:
    with started(speed="1e9") as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == b""


def test_ctrl_c_ends_at_once() -> None:
    with started(speed="0.001") as process:  # waits minutes for its next line
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == b""
