import asyncio
import json
import os
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from llmlab.runs.control import Helm
from llmlab.runs.folder import RunFolder
from llmlab.watch.access import AccessRules
from llmlab.watch.catalog import Catalog, Found
from llmlab.watch.schemas import LogRows, RunList
from llmlab.watch.server import Watch, make_app

RULES = AccessRules(port=8010, key=b"k" * 32, token="the-token")
HERE = "http://127.0.0.1:8010"
SOCKETS = "ws://127.0.0.1:8010"


def test_the_runs_are_listed(client: TestClient) -> None:
    found = RunList.model_validate_json(client.get("/api/runs").content)
    assert [run.name for run in found.runs] == ["runs/micro"]


def test_a_run_that_is_removed_meanwhile_is_left_out(watch: Watch, client, monkeypatch) -> None:
    found = watch.catalog.search()
    runs = {**found.runs, "runs/removed": Path("runs/removed")}
    monkeypatch.setattr(Catalog, "search", lambda self: Found(runs, found.notes))
    assert [run["name"] for run in client.get("/api/runs").json()["runs"]] == ["runs/micro"]


def test_rows_go_on_from_a_byte(client: TestClient, run: RunFolder) -> None:
    first = client.get("/api/rows?run=runs/micro").json()
    run.log.append("point", {"step": 3})
    query = f"from={first['next']}&file={first['file']}"
    second = client.get(f"/api/rows?run=runs/micro&{query}").json()
    assert [row["event"] for row in first["rows"]] == ["run", "listening", *3 * ["point"]]
    assert second["rows"] == [{"event": "point", "step": 3}]


@pytest.mark.parametrize("byte", ["-1", "x", "9" * 30, "1.5"])
def test_what_is_no_byte_is_refused_in_a_sentence(client: TestClient, byte: str) -> None:
    answer = client.get(f"/api/rows?run=runs/micro&from={byte}")
    assert (answer.status_code, "byte" in answer.json()["error"]) == (400, True)


def test_a_socket_gives_what_is_there_and_then_what_comes(
    client: TestClient, run: RunFolder
) -> None:
    with client.websocket_connect(f"{SOCKETS}/ws?run=runs/micro") as socket:
        first = LogRows.model_validate_json(socket.receive_text())
        run.log.append("validation", {"step": 3, "loss": 2.5})
        second = LogRows.model_validate_json(socket.receive_text())
    assert len(first.rows) == 5
    assert second.rows == [{"event": "validation", "step": 3, "loss": 2.5}]
    assert second.from_ == first.next


def test_a_socket_says_that_a_log_was_cut(client: TestClient, run: RunFolder) -> None:
    with client.websocket_connect(f"{SOCKETS}/ws?run=runs/micro") as socket:
        socket.receive_text()
        run.log.cut(1)
        again = LogRows.model_validate_json(socket.receive_text())
    assert again.from_ == 0
    assert [row["event"] for row in again.rows] == ["run", "listening", "point"]


def test_a_socket_for_no_run_is_closed(client: TestClient) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(f"{SOCKETS}/ws?run=../../etc"),
    ):
        pass


def test_a_request_reaches_the_trainer_under_its_id(client: TestClient, run: RunFolder) -> None:
    helm = Helm(run)
    asked = {"run": "runs/micro", "action": "rate", "rate": 0.001}
    answer = client.post("/api/control", json=asked)
    assert answer.status_code == 202
    (request,) = helm.requests(lambda: True)
    assert (request.id, request.rate) == (answer.json()["id"], 0.001)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b"\xff", b"[" * 3000,
        b'{"run": "runs/micro", "action": "rm"}', b'{"run": "runs/micro", "action": "rate"}',
        b'{"run": "runs/micro", "action": "rate", "rate": -1}',
        b'{"run": "runs/micro", "action": "rate", "rate": NaN}',
        b'{"run": "runs/micro", "action": "stop", "rate": 1}',
        b'{"run": "../micro", "action": "stop"}', b" " * 5000,
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_in_a_sentence(
    client: TestClient, requests, body: bytes
) -> None:
    answer = client.post("/api/control", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert requests() == []


def test_the_api_is_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        "/api/health", "/api/runs", "/api/rows", "/ws", "/api/control", "/api/command",
        "/api/start", "/api/started", "/api/inspect", "/inside",
    }  # fmt: skip
    named = set(json.dumps(described).split("#/components/schemas/")[1:])
    names = {part.partition('"')[0] for part in named}
    assert names <= set(described["components"]["schemas"])
    assert TypeAdapter(dict).validate_python(described["components"]["schemas"]["LogRows"])


def test_the_book_is_shown_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "index.html").write_text("the book")
    app = make_app(Watch(Catalog((), tmp_path), book=tmp_path), AccessRules(1, b"k", "t"))
    client = TestClient(app, base_url="http://localhost:1", headers={"Authorization": "Bearer t"})
    assert client.get("/book/dev/").text == "the book"
    assert client.get("/book/..%2f..%2fetc/passwd").status_code == 404
    assert client.get("/api/runs").json()["book"]


def test_a_run_whose_name_is_no_utf_8_hides_no_other(client: TestClient, run: RunFolder) -> None:
    odd = os.fsencode(run.path.parent) + b"/caf\xe9"
    os.makedirs(odd)
    with open(odd + b"/log.jsonl", "w", encoding="utf-8") as file:
        file.write('{"event": "run"}\n')
    names = {found["name"] for found in client.get("/api/runs").json()["runs"]}
    assert names == {"runs/micro", r"runs/caf\xe9"}
    rows = client.get("/api/rows", params={"run": r"runs/caf\xe9"}).json()["rows"]
    assert rows == [{"event": "run"}]


def test_a_page_that_is_closed_while_it_sends_is_no_error(watch: Watch) -> None:
    sent = []

    async def receive() -> dict:
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)

    names = {"host": "127.0.0.1:8010", "origin": HERE, "authorization": "Bearer the-token"}
    scope = {
        "type": "http", "method": "POST", "path": "/api/control", "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in names.items()],
    }  # fmt: skip
    asyncio.run(make_app(watch, RULES)(scope, receive, send))
    assert sent[0]["status"] == 400
