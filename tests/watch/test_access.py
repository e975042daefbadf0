"""What a hostile page, a curious neighbour and a careless link get: nothing."""

import os
import stat
from pathlib import Path

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from llmlab.method.errors import LabError
from llmlab.watch.access import AccessRules, parse_name, user_key
from llmlab.watch.server import Watch, make_app

RULES = AccessRules(port=8010, key=b"k" * 32, token="the-token")
HERE = "http://127.0.0.1:8010"
SOCKETS = "ws://127.0.0.1:8010"
STOP = {"run": "runs/micro", "action": "stop"}


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1:8011", "127.0.0.1.evil.example:8010", ""]
)
def test_another_host_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/runs", headers={"Host": host}).status_code == 421
    assert client.get("/?token=the-token", headers={"Host": host}).status_code == 421


def test_localhost_is_a_name_of_this_server(client: TestClient) -> None:
    assert client.get("/api/runs", headers={"Host": "localhost:8010"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:8011", None])
def test_a_change_comes_from_a_page_of_this_server(
    client: TestClient, requests, origin: str | None
) -> None:
    del client.headers["Origin"]
    headers = {"Origin": origin} if origin else {}
    assert client.post("/api/control", json=STOP, headers=headers).status_code == 403
    with (
        pytest.raises(WebSocketDenialResponse, check=lambda refused: refused.status_code == 403),
        client.websocket_connect(f"{SOCKETS}/ws?run=runs/micro", headers=headers),
    ):
        pass
    assert requests() == []


@pytest.mark.parametrize("path", ["/", "/api/runs", "/api/rows?run=runs/micro", "/assets/watch.js"])
def test_nobody_sees_anything_without_the_token(stranger: TestClient, path: str) -> None:
    for way in (path, f"{path}{'&' if '?' in path else '?'}token=wrong"):
        assert stranger.get(way).status_code == 401
    assert stranger.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_the_health_of_the_server_is_no_secret(stranger: TestClient) -> None:
    assert stranger.get("/api/health").json()["status"] == "ok"


def test_the_token_becomes_a_cookie_and_leaves_the_address(stranger: TestClient) -> None:
    answer = stranger.get("/?token=the-token&run=runs%2Fmicro")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?run=runs%2Fmicro")
    cookie = answer.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "the-token" not in cookie
    assert stranger.get("/api/runs").status_code == 200


def test_the_token_leads_to_no_other_server(stranger: TestClient) -> None:
    answer = stranger.get("//evil.example/?token=the-token")
    assert not answer.headers.get("Location", "").startswith("//")


def test_a_cookie_outlives_a_restart(watch: Watch, stranger: TestClient) -> None:
    stranger.get("/?token=the-token")
    restarted = make_app(watch, AccessRules(port=8010, key=RULES.key, token="another"))
    again = TestClient(restarted, base_url=HERE, cookies=dict(stranger.cookies))
    assert again.get("/api/runs").status_code == 200


def test_a_page_loads_nothing_from_outside_and_no_inline_script(client: TestClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy


def test_who_only_watches_changes_nothing(watch: Watch, requests) -> None:
    app = make_app(Watch(watch.catalog, read_only=True), RULES)
    headers = {"Authorization": "Bearer the-token", "Origin": HERE}
    client = TestClient(app, base_url=HERE, headers=headers)
    assert "--read-only" in client.post("/api/control", json=STOP).json()["error"]
    assert requests() == []


def test_the_key_is_the_users_alone_and_stays(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / name)
    key = user_key()
    assert len(key) == 32
    assert user_key() == key
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "llmlab" / "watch.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["localhost", ":80", "localhost:x", "a b:80", "a/b:80", "*:80"])
def test_a_name_has_a_port(text: str) -> None:
    with pytest.raises(LabError, match="not a name with a port"):
        parse_name(text)
