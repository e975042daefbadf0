"""Whatever a page sends: it is done, or refused with a status of 4xx and one sentence."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from fuzzing import ROUNDS, assert_survives, mutated_bytes, mutated_json
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from llmlab.method.errors import LabError
from llmlab.runs.folder import RunFolder
from llmlab.watch.access import AccessRules
from llmlab.watch.server import Watch, make_app
from llmlab.watch.starting import PREFIX, Started

BODIES = {
    "/api/control": {"run": "runs/micro", "action": "rate", "rate": 1e-3},
    "/api/command": {"verb": "train", "arguments": "--config nano --out 'a b'"},
    "/api/start": {"argv": [*PREFIX, "train", "--config", "nano"]},
    "/api/inspect": {"run": "runs/micro"},
}
QUERIES = {
    "/api/rows": {"run": "runs/micro", "from": "0", "file": "17"},
    "/inside": {"run": "runs/micro"},
    "/ws": {"run": "runs/micro", "from": "5"},
}
NAMES = {"host": "127.0.0.1:1", "origin": "http://127.0.0.1:1", "authorization": "Bearer t"}
SOCKET = "ws://127.0.0.1:8010"
LONGEST_SENTENCE = 3000
"""Characters; a refusal may repeat what it refuses, which is no longer than this."""


class Idle:
    """A process that was never started."""

    def poll(self) -> int:
        return 0


@pytest.fixture
def nothing_starts(watch: Watch, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are taken and not started."""
    (run.path / "checkpoints" / "step-00000003").mkdir(parents=True)
    (run.path / "inspect.html").write_text("<p>the inside</p>")
    monkeypatch.setattr(
        watch.starter, "start", lambda command: Started("0" * 16, command, Idle(), None)
    )


@pytest.fixture
def ask(watch: Watch, nothing_starts) -> Iterator[Callable[..., None]]:
    """Sends one request, without the threads of a test client: ten times as many in a second.

    LabError with the sentence of a refusal.
    """
    app = make_app(watch, AccessRules(port=1, key=b"k", token="t"))
    headers = [(name.encode(), value.encode()) for name, value in NAMES.items()]
    with asyncio.Runner() as runner:

        def ask(path: str, query: str = "", body: bytes | None = None) -> None:
            said: list[dict] = []
            to_send = [{"type": "http.request", "body": body or b""}]

            async def receive() -> dict:
                return to_send.pop() if to_send else await asyncio.Event().wait()

            async def send(message: dict) -> None:
                said.append(message)

            method = "GET" if body is None else "POST"
            scope = {"type": "http", "method": method, "path": path, "headers": headers}
            runner.run(app(scope | {"query_string": query.encode()}, receive, send))
            require_answer(said[0]["status"], said[1]["body"])

        yield ask


def damaged(document: dict, kind: str) -> Callable[[random.Random], bytes]:
    if kind == "bytes":
        return lambda draw: mutated_bytes(json.dumps(document).encode(), draw)
    return lambda draw: mutated_json(document, draw)


def require_answer(status: int, body: bytes) -> None:
    """LabError with the sentence of a refusal; nothing for what was done."""
    if 200 <= status < 300:
        return
    assert 400 <= status < 500, status
    sentence = json.loads(body)["error"]
    assert 0 < len(sentence) < LONGEST_SENTENCE
    raise LabError(sentence)


@pytest.mark.parametrize("kind", ["bytes", "values"])
@pytest.mark.parametrize("path", BODIES)
def test_fuzz_bodies(ask, path: str, kind: str) -> None:
    assert assert_survives(lambda body: ask(path, body=body), damaged(BODIES[path], kind)) > 0


def query(path: str, content: bytes) -> str:
    """The query of an address with one of its parameters replaced, as a browser writes bytes."""
    name = random.Random(content).choice(list(QUERIES[path]))
    given = {key: quote(value) for key, value in QUERIES[path].items()} | {name: quote(content)}
    return "&".join(f"{key}={value}" for key, value in given.items())


@pytest.mark.parametrize("path", ["/api/rows", "/inside"])
def test_fuzz_queries(ask, path: str) -> None:
    ask(path, "run=runs/micro")
    whole = "&".join(QUERIES[path].values()).encode()
    assert_survives(
        lambda content: ask(path, query(path, content)), lambda draw: mutated_bytes(whole, draw)
    )


def test_fuzz_addresses_of_sockets(client: TestClient) -> None:
    def read(content: bytes) -> None:
        try:
            with client.websocket_connect(f"{SOCKET}/ws?{query('/ws', content)}") as socket:
                socket.receive_text()
        except WebSocketDisconnect as closed:
            raise LabError(f"refused with {closed.code}") from closed

    odd = (b"0", b"5", b"-1", b"1e3", b"9" * 20, b"9" * 5000, b"", b"\x00", b"\xff", b"runs")
    assert assert_survives(read, lambda draw: draw.choice(odd), ROUNDS // 10) > 0


def test_fuzz_messages_end_a_socket_and_nothing_else(client: TestClient) -> None:
    def read(content: bytes) -> None:
        with client.websocket_connect(f"{SOCKET}/ws?run=runs/micro") as socket:
            socket.receive_text()
            if content.isascii():
                socket.send_text(content.decode())
            else:
                socket.send_bytes(content)

    def message(draw: random.Random) -> bytes:
        return mutated_bytes(b'{"run": "runs/micro"}', draw)

    assert assert_survives(read, message, ROUNDS // 10) == ROUNDS // 10
    assert client.get("/api/rows?run=runs/micro").status_code == 200
