"""Runs whose logs are written by hand, and a server that shows them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from llmlab.runs.folder import RunFolder
from llmlab.watch.access import AccessRules
from llmlab.watch.catalog import Catalog
from llmlab.watch.server import Watch, make_app

RULES = AccessRules(port=8010, key=b"k" * 32, token="the-token")
HERE = "http://127.0.0.1:8010"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run that has taken three of ten steps."""
    folder = RunFolder(tmp_path / "runs" / "micro")
    folder.log.start({"train.steps": 10})
    folder.log.append("listening", {"actions": ["pause", "resume", "stop", "checkpoint", "rate"]})
    for step in range(3):
        folder.log.append("point", point(step))
    return folder


def point(step: int) -> dict[str, object]:
    """What a trainer logs of a step."""
    return {
        "step": step,
        "tokens": 64,
        "loss": 3 - step / 10,
        "gradient_norm": 1.0,
        "learning_rate": 0.01,
        "seconds": 0.1,
    }


@pytest.fixture
def watch(run: RunFolder) -> Watch:
    root = run.path.parent
    return Watch(Catalog((root,), root.parent))


@pytest.fixture
def client(watch: Watch) -> TestClient:
    """A program that has the token."""
    headers = {"Authorization": "Bearer the-token", "Origin": HERE}
    return TestClient(make_app(watch, RULES), base_url=HERE, headers=headers)


@pytest.fixture
def stranger(watch: Watch) -> TestClient:
    """Somebody who has nothing."""
    return TestClient(make_app(watch, RULES), base_url=HERE, follow_redirects=False)


@pytest.fixture
def requests(run: RunFolder) -> Callable[[], list[dict]]:
    """What the run was asked for."""

    def read() -> list[dict]:
        path = run.path / "control.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read
