"""Starting runs from the page: what is shown is what is started, and nothing else can be."""

import json
import sys
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from llmlab.method.errors import LabError
from llmlab.runs.folder import RunFolder
from llmlab.watch.access import AccessRules
from llmlab.watch.catalog import Catalog
from llmlab.watch.server import Watch, make_app
from llmlab.watch.starting import MOST_KEPT, MOST_RUNNING, PREFIX, Starter, command_of

HERE = "http://127.0.0.1:8010"
RULES = AccessRules(port=8010, key=b"k" * 32, token="the-token")
HEADERS = {"Authorization": "Bearer the-token", "Origin": HERE}


def ended(starter: Starter, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while any(one.code is None for one in starter.started):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_command_is_a_list_of_words() -> None:
    command = command_of("train", "--config nano --corpus 'a b; rm -rf $HOME'")
    assert command == (*PREFIX, "train", "--config", "nano", "--corpus", "a b; rm -rf $HOME")


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("rm", "-rf x"), ("record", "--all"), ("", ""), ("watch", ""), ("../train", ""),
        ("train", "--out /tmp/x"), ("train", "--out=/tmp/x"), ("train", "--out ../x"),
        ("train", "--out a/../../x"), ("train", "--out ~/x"), ("train", r"--out 'C:\x'"),
        ("finetune", "--base hf:/x"), ("finetune", "--base http://evil.example/"),
        ("train", "'open"), ("train", "--out 'a\x00b'"), ("train", "'\x1b[2J'"),
    ],
)  # fmt: skip
def test_other_verbs_and_paths_outside_are_refused(verb: str, arguments: str) -> None:
    with pytest.raises(LabError):
        command_of(verb, arguments)


def test_what_was_shown_is_started(client: TestClient, watch: Watch) -> None:
    shown = client.post("/api/command", json={"verb": "run", "arguments": "nothing -s smoke"})
    assert shown.json()["argv"] == [sys.executable, "-m", "llmlab", "run", "nothing", "-s", "smoke"]
    assert watch.starter.started == ()
    answer = client.post("/api/start", json=shown.json())
    assert answer.status_code == 202
    ended(watch.starter)
    (one,) = client.get("/api/started").json()["started"]
    assert (one["id"], one["argv"], one["code"]) == (answer.json()["id"], shown.json()["argv"], 1)
    assert "unknown experiment 'nothing'" in one["output"]


@pytest.mark.parametrize(
    "argv",
    [
        [], ["rm", "x"], [sys.executable, "-c", "print()"], [*PREFIX], [*PREFIX, "record", "--all"],
        [*PREFIX, "train", "--out", "/tmp/x"], [sys.executable, "-m", "llmlab.cli", "train"],
    ],
)  # fmt: skip
def test_what_was_not_shown_is_not_started(
    client: TestClient, watch: Watch, argv: list[str]
) -> None:
    assert client.post("/api/start", json={"argv": argv}).status_code == 400
    assert watch.starter.started == ()


@pytest.mark.parametrize("path", ["/api/start", "/api/inspect", "/api/command"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"run": "../x"}', b'{"argv": [1]}', b"\xff"])
def test_what_is_no_wish_is_refused_in_a_sentence(
    client: TestClient, path: str, body: bytes
) -> None:
    answer = client.post(path, content=body)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)


def test_who_only_watches_starts_nothing(watch: Watch, run: RunFolder) -> None:
    (run.path / "checkpoints" / "step-00000003").mkdir(parents=True)
    shy = Watch(watch.catalog, read_only=True)
    client = TestClient(make_app(shy, RULES), base_url=HERE, headers=HEADERS)
    for path, body in (("start", {"argv": [*PREFIX, "train"]}), ("inspect", {"run": "runs/micro"})):
        assert "--read-only" in client.post(f"/api/{path}", json=body).json()["error"]
    assert shy.starter.started == ()


@pytest.mark.parametrize("path", ["/api/start", "/api/command", "/api/inspect"])
def test_a_page_of_another_server_starts_nothing(client: TestClient, path: str) -> None:
    body = {"argv": [*PREFIX, "train"], "verb": "train", "run": "runs/micro"}
    headers = {"Origin": "http://evil.example"}
    assert client.post(path, json=body, headers=headers).status_code == 403


def test_so_many_go_on_at_once_and_old_ones_are_forgotten(tmp_path: Path) -> None:
    starter = Starter(tmp_path)
    for _ in range(MOST_RUNNING):
        starter.start((sys.executable, "-c", "import time; time.sleep(2)"))
    with pytest.raises(LabError, match="are running already"):
        starter.start((sys.executable, "-c", ""))
    ended(starter)
    for _ in range(MOST_KEPT):
        starter.start(("true",))
        ended(starter)
    assert len(starter.started) == MOST_KEPT


def test_a_look_inside_is_a_page_that_can_ask_nothing(
    client: TestClient, watch: Watch, run: RunFolder
) -> None:
    assert client.get("/inside?run=runs/micro").status_code == 400
    assert (
        "no checkpoint" in client.post("/api/inspect", json={"run": "runs/micro"}).json()["error"]
    )
    (run.path / "inspect.html").write_text("<p>the model</p>")
    page = client.get("/inside?run=runs/micro")
    assert page.text == "<p>the model</p>"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none';")
    assert "connect-src" not in policy
    (listed,) = client.get("/api/runs").json()["runs"]
    assert listed["inside"] == (run.path / "inspect.html").stat().st_mtime


def test_a_page_that_is_a_link_is_not_served(
    client: TestClient, run: RunFolder, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    (run.path / "inspect.html").symlink_to(tmp_path / "secret")
    assert client.get("/inside?run=runs/micro").status_code == 400


def test_pages_of_the_book_lead_to_the_runs(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<body><p>the book</body>")
    (tmp_path / "versions.json").write_text(json.dumps(["dev"]))
    app = make_app(Watch(Catalog((), tmp_path), book=tmp_path), RULES)
    client = TestClient(app, base_url=HERE, headers=HEADERS)
    assert '<a href="/"' in client.get("/book/").text
    assert client.get("/book/versions.json").json() == ["dev"]
