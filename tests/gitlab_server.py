"""What GitLab does with the files and comments of a job, on loopback."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

TOKEN = "the-token"
"""Of a job, or of the project for comments."""
NAMES = ("JOB-TOKEN", "PRIVATE-TOKEN")


class GitLab(BaseHTTPRequestHandler):
    """Keeps what is put or posted, for whoever has the token."""

    kept: ClassVar[dict[str, bytes]] = {}

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self._is_known():
            self.kept[self.path] = content
        self._answer(201 if self._is_known() else 401)

    def do_POST(self) -> None:
        self.do_PUT()

    def do_GET(self) -> None:
        status = 200 if self.path in self.kept else 404
        self._answer(status if self._is_known() else 401, self.kept.get(self.path, b""))

    def _is_known(self) -> bool:
        return TOKEN in [self.headers[name] for name in NAMES]

    def _answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[str]:
    """The address of its API, while the block runs; it begins with nothing kept."""
    GitLab.kept.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), GitLab) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/v4"
        finally:
            server.shutdown()
