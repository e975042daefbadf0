import json

import pytest
from typer.testing import CliRunner

from llmlab.sleep.command import sandbox as command
from llmlab.sleep.command.app import app
from llmlab.sleep.sandbox.levels import Probe
from llmlab.sleep.sandbox.sandbox import Unguarded


@pytest.fixture
def no_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Probe(Unguarded(), ("bubblewrap: bwrap is not installed",))
    monkeypatch.setattr(command, "strongest", lambda: found)
    monkeypatch.setattr(command, "compiler", lambda: None)
    monkeypatch.setattr(command, "PROGRAMS", 2)


@pytest.mark.usefixtures("no_walls")
def test_a_machine_without_walls_says_why_and_what_follows() -> None:
    lines = CliRunner().invoke(app, ["sandbox"]).stdout.splitlines()
    assert "--allow-unsandboxed" in lines[0]
    assert lines[1] == "bubblewrap: bwrap is not installed"
    assert lines[2].startswith("Programs judged per second: ")


@pytest.mark.usefixtures("no_walls")
def test_the_report_is_json_for_programs() -> None:
    report = json.loads(CliRunner().invoke(app, ["sandbox", "--json"]).stdout)
    assert (report["level"], report["isolates"]) == ("none", False)
    assert report["per_second"]["python"] > 0
