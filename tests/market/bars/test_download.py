"""The downloader against a server on loopback that fails, stalls, truncates and lies."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from calling import exit_status

from llmlab.market.bars.download import RetryPolicy, fetch, fetch_all
from llmlab.method.errors import LabError

BARS = b"date,open,high,low,close,volume\n" + b"".join(
    b"2001-01-%02d,10,11,9,10,%d\n" % (day, day * 1000) for day in range(1, 29)
)
QUICK = RetryPolicy(tries=4, first_wait=0.001, timeout=0.3)
Answer = Callable[["Handler", int], None]


class Handler(BaseHTTPRequestHandler):
    """Answers the n-th request as the test says."""

    def do_GET(self) -> None:
        self.server.requests.append(dict(self.headers) | {"path": self.path})
        self.server.answer(self, len(self.server.requests))

    def log_message(self, *_: object) -> None:
        return

    def send(
        self, body: bytes, status: int = 200, length: int | None = None, **headers: str
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_rest(self, **headers: str) -> None:
        """What a good server answers to a range."""
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        total = f"bytes {start}-{len(BARS) - 1}/{len(BARS)}"
        self.send(BARS[start:], 206, Content_Range=total, **headers)


@pytest.fixture
def served() -> Iterator[Callable[[Answer], ThreadingHTTPServer]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests = []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()

    def serve(answer: Answer) -> ThreadingHTTPServer:
        server.answer = answer
        server.url = f"http://127.0.0.1:{server.server_port}/sp.csv"
        return server

    yield serve
    server.shutdown()
    server.server_close()


def test_a_good_server_gives_the_file_and_its_checksum(served, tmp_path: Path) -> None:
    server = served(lambda handler, n: handler.send(BARS))
    found = fetch(server.url, tmp_path / "sp.csv", retry=QUICK)
    assert (tmp_path / "sp.csv").read_bytes() == BARS
    assert found.sha256 == hashlib.sha256(BARS).hexdigest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sp.csv"]


@pytest.mark.parametrize("url", ["example.org/sp.csv", "ftp://example.org/sp.csv", "http:///sp"])
def test_an_address_that_is_none_is_not_tried_again(url: str, tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(LabError, match=f"{url} is not an address; write it as https://"):
        fetch(url, tmp_path / "sp.csv", retry=QUICK, tell=told.append)
    assert told == []


def test_a_server_that_fails_at_first_is_asked_again(served, tmp_path: Path) -> None:
    server = served(lambda h, n: h.send(b"", 503) if n < 3 else h.send(BARS))
    assert fetch(server.url, tmp_path / "sp.csv", retry=QUICK).bytes == len(BARS)
    assert len(server.requests) == 3


def test_waits_double_from_try_to_try(served, tmp_path: Path) -> None:
    server = served(lambda h, n: h.send(b"", 500))
    told: list[str] = []
    with pytest.raises(LabError):
        fetch(server.url, tmp_path / "sp.csv", retry=QUICK, tell=told.append)
    assert [line.rpartition("in ")[2] for line in told] == ["0.001 s", "0.002 s", "0.004 s"]


def test_a_server_that_asks_for_time_gets_it(served, tmp_path: Path) -> None:
    server = served(lambda h, n: h.send(b"", 429, Retry_After="1") if n == 1 else h.send(BARS))
    began = time.monotonic()
    fetch(server.url, tmp_path / "sp.csv", retry=QUICK)
    assert time.monotonic() - began >= 1


def test_a_server_that_never_recovers_ends_in_one_sentence(served, tmp_path: Path) -> None:
    server = served(lambda h, n: h.send(b"", 500))
    with pytest.raises(LabError, match="in 4 tries, the last time because the server answered 500"):
        fetch(server.url, tmp_path / "sp.csv", retry=QUICK)
    assert not (tmp_path / "sp.csv").exists()


def test_a_refusal_is_not_repeated(served, tmp_path: Path) -> None:
    server = served(lambda h, n: h.send(b"", 404))
    with pytest.raises(LabError, match="the server answered 404"):
        fetch(server.url, tmp_path / "sp.csv", retry=QUICK)
    assert len(server.requests) == 1


def stall(handler: Handler, n: int) -> None:
    if n > 1:
        handler.send(BARS)
        return
    handler.send(BARS[:100], length=len(BARS))
    handler.wfile.flush()
    time.sleep(0.6)


def test_a_server_that_stalls_is_left_and_asked_again(served, tmp_path: Path) -> None:
    server = served(stall)
    fetch(server.url, tmp_path / "sp.csv", retry=QUICK)
    assert (tmp_path / "sp.csv").read_bytes() == BARS


def truncate_then_resume(handler: Handler, n: int) -> None:
    if "Range" in handler.headers:
        handler.send_rest(ETag='"a"')
    else:
        handler.send(BARS[:200], length=len(BARS), ETag='"a"')
        handler.close_connection = True


def test_a_truncated_file_goes_on_where_it_broke(served, tmp_path: Path) -> None:
    server = served(truncate_then_resume)
    fetch(server.url, tmp_path / "sp.csv", retry=QUICK)
    assert (tmp_path / "sp.csv").read_bytes() == BARS
    assert server.requests[1]["Range"] == "bytes=200-"
    assert server.requests[1]["If-Range"] == '"a"'


def test_the_next_call_goes_on_where_the_last_one_stopped(served, tmp_path: Path) -> None:
    server = served(truncate_then_resume)
    with pytest.raises(LabError):
        fetch(server.url, tmp_path / "sp.csv", retry=RetryPolicy(1, 0.001, 0.3))
    fetch(server.url, tmp_path / "sp.csv", retry=QUICK)
    assert server.requests[1]["Range"] == "bytes=200-"


def changed_meanwhile(handler: Handler, n: int) -> None:
    if n == 1:
        handler.send(b"x" * 200, length=len(BARS), ETag='"old"')
        handler.close_connection = True
    else:
        handler.send(BARS, ETag='"new"')  # If-Range does not hold, so the whole file comes


def test_a_file_that_changed_meanwhile_is_fetched_anew(served, tmp_path: Path) -> None:
    server = served(changed_meanwhile)
    fetch(server.url, tmp_path / "sp.csv", retry=QUICK)
    assert (tmp_path / "sp.csv").read_bytes() == BARS


def wrong_place(handler: Handler, n: int) -> None:
    if n == 1:
        handler.send(BARS[:200], length=len(BARS), ETag='"a"')
        handler.close_connection = True
    elif n == 2:
        handler.send(BARS[50:], 206, Content_Range=f"bytes 50-{len(BARS) - 1}/{len(BARS)}")
    else:
        handler.send(BARS)


def test_a_server_that_goes_on_from_another_place_is_not_believed(served, tmp_path: Path) -> None:
    server = served(wrong_place)
    fetch(server.url, tmp_path / "sp.csv", retry=QUICK)
    assert (tmp_path / "sp.csv").read_bytes() == BARS


def test_a_page_in_place_of_bars_is_refused_and_what_was_there_stays(
    served, tmp_path: Path
) -> None:
    (tmp_path / "sp.csv").write_bytes(b"before")
    server = served(lambda h, n: h.send(b"<html>Please log in</html>"))
    with pytest.raises(LabError, match="did not give bars"):
        fetch(server.url, tmp_path / "sp.csv", retry=QUICK)
    assert (tmp_path / "sp.csv").read_bytes() == b"before"


def test_a_file_with_another_checksum_is_refused(served, tmp_path: Path) -> None:
    server = served(lambda h, n: h.send(BARS.replace(b",10,", b",99,", 1)))
    with pytest.raises(LabError, match="gave a changed file"):
        fetch(server.url, tmp_path / "sp.csv", retry=QUICK, sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_fetched_again(served, tmp_path: Path) -> None:
    server = served(lambda h, n: h.send(BARS))
    template = server.url.replace("sp", "{symbol}")
    fetch_all(template, ["a"], tmp_path, retry=QUICK)
    fetch_all(template, ["a", "b"], tmp_path, retry=QUICK)
    assert [request["path"] for request in server.requests] == ["/a.csv", "/b.csv"]


def test_a_file_that_was_damaged_on_disk_is_fetched_again(served, tmp_path: Path) -> None:
    server = served(lambda h, n: h.send(BARS))
    template = server.url.replace("sp", "{symbol}")
    fetch_all(template, ["a"], tmp_path, retry=QUICK)
    (tmp_path / "a.csv").write_bytes(b"damaged")
    fetch_all(template, ["a"], tmp_path, retry=QUICK)
    assert (tmp_path / "a.csv").read_bytes() == BARS


def test_an_address_without_a_place_for_the_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"does not contain \{symbol\}"):
        fetch_all("http://127.0.0.1/x.csv", ["a"], tmp_path)


def test_the_command_fetches_checks_and_describes(
    served, tmp_path: Path, monkeypatch, capsys
) -> None:
    server = served(lambda h, n: h.send(BARS))
    address = server.url.replace("sp.csv", "{symbol}.csv")
    options = ("--url", address, "--symbols", "sp,dj", "--json", "--out", tmp_path)
    assert exit_status(monkeypatch, "market", "data", *options) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["rows"]) for one in found] == [("sp", 28), ("dj", 28)]
    assert (tmp_path / "sp.csv").read_bytes() == BARS
    assert json.loads((tmp_path / "dj.json").read_text(encoding="utf-8")) == found[1]
