"""The HTTP client against a server that does its worst; all over a real socket."""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.repair.server import RetryPolicy, Server
from llmlab.sleep.repair.task import Task

TASK = Task("python", "x = 1\n", Verdict("test", "wrong", 1, "1, not 2"), complaint="no edit")
QUICK = RetryPolicy(tries=2, first_wait=0.01, silence=2.0, seconds=20.0)
HASTY = RetryPolicy(tries=2, first_wait=0.01, silence=0.3, seconds=0.2)


def chunk(text=None, finish=None, usage=None):
    choices = [{"delta": {"content": text}, "finish_reason": finish}]
    content = {"choices": choices} | ({"usage": usage} if usage else {})
    return b"data: " + json.dumps(content).encode() + b"\n\n"


class Stub(BaseHTTPRequestHandler):
    """Answers each request with the next of the server's moves."""

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.server.requests.append(json.loads(self.rfile.read(length)))
        moves = self.server.moves
        (moves.pop(0) if len(moves) > 1 else moves[0])(self)

    def log_message(self, *args):
        pass


def reply(status, kind, *pieces, pause=0.0):
    def move(handler):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        try:
            for piece in pieces:
                handler.wfile.write(piece)
                handler.wfile.flush()
                time.sleep(pause)
        except OSError:
            pass  # the client has left

    return move


def stream(*pieces, pause=0.0):
    return reply(200, "text/event-stream", *pieces, pause=pause)


GOOD = stream(
    chunk("1|x "),
    b": a comment\n\n",
    chunk("= 2"),
    chunk(finish="stop", usage={"prompt_tokens": 9, "completion_tokens": 4}),
    b"data: [DONE]\n\n",
)


@pytest.fixture
def ask():
    servers = []

    def run(*moves, retry=QUICK):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
        server.moves, server.requests = list(moves), []
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        client = Server(f"http://127.0.0.1:{server.server_port}/v1", "m", retry=retry)
        return client.answer([TASK], 0)[0], server.requests

    yield run
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_stream_becomes_an_answer_with_its_cost(ask):
    answer, requests = ask(GOOD)
    assert (answer.text, answer.prompt_tokens, answer.tokens) == ("1|x = 2", 9, 4)
    assert answer.failure == ""
    assert requests[0]["messages"][-1]["content"].startswith("1|x = 1")


def test_a_busy_server_is_asked_again(ask):
    answer, requests = ask(reply(503, "text/plain", b"busy"), GOOD)
    assert answer.text == "1|x = 2"
    assert len(requests) == 2


def test_a_piece_may_end_anywhere(ask):
    data = chunk("1|x = 2", "stop")
    answer, _ = ask(stream(*(data[at : at + 7] for at in range(0, len(data), 7))))
    assert answer.text == "1|x = 2"


@pytest.mark.parametrize(
    ("move", "why", "tries"),
    [
        (reply(200, "text/html", b"<html>"), "answered with text/html", 1),
        (reply(401, "application/json", b'{"error": "no key"}'), "401: .*no key", 1),
        (reply(302, "text/html", b""), "answered 302", 1),
        (stream(chunk("1|x")), "ended before the answer did, 2 times", 2),
        (stream(b"data: <html>\n\n"), "other than a chunk", 2),
        (stream(b"data: []\n\n"), "other than a chunk", 2),
        (stream(chunk("x" * 600_000), chunk("x" * 600_000)), "longer than", 1),
    ],
)
def test_a_hostile_server_is_a_failure_with_a_reason(ask, move, why, tries):
    answer, requests = ask(move)
    assert answer.text == ""
    assert len(requests) == tries
    assert re.search(why, answer.failure)


@pytest.mark.parametrize(
    ("move", "why"),
    [
        (stream(chunk("1|x"), chunk("y"), pause=0.5), "silent for too long, 2 times"),
        (stream(*[chunk("x")] * 10, pause=0.1), "took too long, 2 times"),
    ],
)
def test_a_slow_server_is_not_waited_for_for_ever(ask, move, why):
    assert why in ask(move, retry=HASTY)[0].failure


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9", "does not answer, 2 times"),
        ("nowhere", "not the address of a server"),
    ],
)
def test_no_server_at_all_is_a_failure_too(url, why):
    answer = Server(url, "m", retry=QUICK).answer([TASK], 0)[0]
    assert why in answer.failure
