import socket
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from llmlab.cli.rooms import book_commands
from llmlab.method.errors import LabError
from llmlab.watch import command
from llmlab.watch.access import AccessRules
from llmlab.watch.command import app, listen
from llmlab.watch.server import Watch, make_app


def refused(*arguments: str) -> str:
    with pytest.raises(LabError) as error:
        CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return str(error.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "there is no folder" in refused(str(tmp_path / "none"))


def test_a_taken_port_is_refused() -> None:
    with listen(0) as taken, pytest.raises(LabError, match="choose another"):
        listen(taken.getsockname()[1])


def test_only_this_machine_can_ask() -> None:
    with listen(0) as listening:
        assert listening.family == socket.AF_INET
        assert listening.getsockname()[0] == "127.0.0.1"


def test_a_book_is_served_where_one_is_rendered(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "chapters" / "hypotheses").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabError, match="holds no rendered book"):
        CliRunner().invoke(book_commands(), ["serve"], catch_exceptions=False)


@pytest.fixture
def server(monkeypatch) -> list[tuple[Watch, AccessRules]]:
    """What was to be served; nothing is."""
    served = []

    class Idle:
        def run(self, sockets: list[socket.socket]) -> None:
            pass

    monkeypatch.setattr(
        command, "make_server", lambda watch, rules: served.append((watch, rules)) or Idle()
    )
    return served


def test_book_and_runs_have_one_server(tmp_path: Path, monkeypatch, server) -> None:
    (tmp_path / "chapters" / "hypotheses").mkdir(parents=True)
    site = tmp_path / "site"
    (site / "dev").mkdir(parents=True)
    (site / "dev" / "index.html").write_text("<body>the book</body>")
    (site / "versions.json").write_text("[]")
    (tmp_path / "runs" / "micro").mkdir(parents=True)
    (tmp_path / "runs" / "micro" / "log.jsonl").write_text("")
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(book_commands(), ["serve", "--port", "0"], catch_exceptions=False)
    ((watch, rules),) = server
    assert f"/book/dev/index.html?token={rules.token}" in said.output
    client = TestClient(make_app(watch, rules), base_url=f"http://127.0.0.1:{rules.port}")
    assert "the book" in client.get(f"/book/dev/index.html?token={rules.token}").text
    (run,) = client.get("/api/runs").json()["runs"]
    assert run["name"] == "runs/micro"


def test_folders_without_a_run_are_said_so_in_the_terminal_and_on_the_page(
    tmp_path: Path, server
) -> None:
    said = CliRunner().invoke(app, [str(tmp_path), "--port", "0"], catch_exceptions=False)
    ((watch, rules),) = server
    assert f"There is no run in {tmp_path}: " in said.output
    headers = {"Authorization": f"Bearer {rules.token}"}
    client = TestClient(make_app(watch, rules), base_url=f"http://127.0.0.1:{rules.port}")
    (note,) = client.get("/api/runs", headers=headers).json()["notes"]
    assert note in said.output
