"""Who may ask: the browser of the user who started the server, and no other page in it.

- The server listens on the loopback interface, and answers only under its own names: a page whose
  name is made to point here (DNS rebinding) is refused by its Host.
- A change, and a WebSocket, must come from a page of this server (Origin).
- The link that the command prints holds a token. It is exchanged for a cookie that no script can
  read and no other site can send, and disappears from the address.
- A page loads nothing but what this server has (Content-Security-Policy).
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pooch
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llmlab.method.errors import LabError
from llmlab.method.files import unwritable

LOOPBACK_NAMES = ("127.0.0.1", "localhost")
PUBLIC = frozenset({"/api/health"})
"""Paths that say nothing about a run."""
BOOK = "/book/"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self'{scripts}; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self' {sockets}; frame-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
INSIDE = "/inside"
STANDALONE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
"""Policy of a self-contained page: its scripts reach neither this server nor any other."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class AccessRules:
    """Which requests a server accepts.

    Attributes:
        port: that it listens on.
        key: the user's secret; cookies are made of it, so that they outlive a restart.
        token: of this start, in the link that the command prints.
        names: further values of Host, such as "localhost:9000" at the end of a tunnel.
    """

    port: int
    key: bytes
    token: str
    names: frozenset[str] = frozenset()

    @property
    def hosts(self) -> frozenset[str]:
        return self.names | {f"{name}:{self.port}" for name in LOOPBACK_NAMES}

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(
            f"{scheme}://{host}" for host in self.hosts for scheme in ("http", "https")
        )

    @property
    def cookie(self) -> str:
        """The cookie's name, with the port: a browser shares cookies between a machine's ports."""
        return f"llmlab-watch-{self.port}"

    @property
    def secret(self) -> str:
        """The value of the cookie."""
        return hmac.new(self.key, b"llmlab watch", hashlib.sha256).hexdigest()

    def authenticates(self, headers: Headers) -> bool:
        """Whether a request carries the cookie, or the token as a program sends it."""
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        return _same(_cookie(headers, self.cookie), self.secret) or _same(bearer, self.token)


class AccessMiddleware:
    """Passes accepted requests on, and adds the headers that restrict what a page may do."""

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refused = self._rejected(scope)
        await (refused or self._app)(scope, receive, self._with_headers(scope, send))

    def _rejected(self, scope: Scope) -> Response | None:
        """The response to a request that is refused or exchanges its token; None to pass it on."""
        headers, path = Headers(scope=scope), scope["path"]
        if headers.get("host") not in self._rules.hosts:
            return PlainTextResponse("This server has another name.", 421)
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if changes and headers.get("origin") not in self._rules.origins:
            return PlainTextResponse("Only a page of this server may ask for that.", 403)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if not changes and _same(query.pop("token", ""), self._rules.token):
            return self._redirect_with_cookie(path, query)
        if path not in PUBLIC and not self._rules.authenticates(headers):
            return PlainTextResponse("Open the link that `llmlab watch` printed.", 401)
        return None

    def _redirect_with_cookie(self, path: str, query: dict[str, str]) -> Response:
        """A redirect to the same page, without the token in its address."""
        # one slash: a browser takes // for the name of a machine
        way = "/" + path.lstrip("/\\") + (f"?{urlencode(query)}" if query else "")
        answer = RedirectResponse(way, 303)
        answer.set_cookie(
            self._rules.cookie, self._rules.secret, httponly=True, samesite="strict", path="/"
        )
        return answer

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        # pages of the book set their theme before anything else is loaded
        inline = " 'unsafe-inline'" if scope["path"].startswith(BOOK) else ""
        host = Headers(scope=scope).get("host", "")
        sockets = f"ws://{host}" if host in self._rules.hosts else ""
        policy = CONTENT_SECURITY_POLICY.format(scripts=inline, sockets=sockets)
        if scope["path"] == INSIDE:
            policy = STANDALONE_POLICY

        async def sent(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                headers.update({**HEADERS, "Content-Security-Policy": policy})
            await send(message)

        return sent


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(24)


def user_key() -> bytes:
    """The user's secret, made at the first start and kept where only they can read it.

    Raises:
        LabError: it cannot be written.
    """
    path = Path(pooch.os_cache("llmlab")) / "watch.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        if len(path.read_bytes()) < 32:
            path.chmod(0o600)
            path.write_bytes(secrets.token_bytes(32))
        return path.read_bytes()
    except OSError as error:
        raise unwritable(path, error) from error


_NAME = re.compile(r"[a-z0-9.-]+:[0-9]+")


def parse_name(text: str) -> str:
    """A further name of the server, as a browser sends it: name and port.

    Raises:
        LabError: it is not one.
    """
    if not _NAME.fullmatch(text):
        raise LabError(f"--name {text!r} is not a name with a port: write it as localhost:9000.")
    return text


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
