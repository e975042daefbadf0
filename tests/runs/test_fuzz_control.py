"""Damaged requests and answers: what is whole is followed, all else is passed over."""

import json
import random
from collections.abc import Callable

import pytest
from fuzzing import assert_survives, mutated_bytes, mutated_lines, overwrite

from llmlab.runs.control import ACTIONS, CONTROL, Helm, Request
from llmlab.runs.folder import RunFolder

ASKED = [
    {"id": f"{number:016x}", "action": action} | ({"rate": 1e-3} if action == "rate" else {})
    for number, action in enumerate(ACTIONS)
]
LOGGED = [
    {"event": "run", "seed": 0},
    *({"event": "steered", "step": step, **asked} for step, asked in enumerate(ASKED)),
    {"event": "point", "step": 9, "loss": 1.5},
]


def damaged(documents: list[object], kind: str) -> Callable[[random.Random], bytes]:
    whole = b"".join(json.dumps(one).encode() + b"\n" for one in documents)
    if kind == "bytes":
        return lambda draw: mutated_bytes(whole, draw)
    return lambda draw: mutated_lines(documents, draw)


@pytest.mark.parametrize("kind", ["bytes", "values"])
def test_fuzz_requests(kind: str, folder: RunFolder) -> None:
    folder.log.start({"seed": 0})
    control = folder.path / CONTROL

    def read(content: bytes) -> None:
        control.unlink(missing_ok=True)
        helm = Helm(folder)
        overwrite(control, content)
        found = list(helm.requests(is_over=lambda: True))
        assert all(isinstance(one, Request) and one.action in ACTIONS for one in found)
        for request in found:
            helm.followed(request, step=1)
        assert helm.rate is None or 0 < helm.rate < float("inf")

    assert assert_survives(read, damaged(ASKED, kind)) > 0


@pytest.mark.parametrize("kind", ["bytes", "values"])
def test_fuzz_answers_of_a_run_that_is_resumed(kind: str, folder: RunFolder) -> None:
    folder.log.start({"seed": 0})

    def read(content: bytes) -> None:
        overwrite(folder.log.path, content)
        helm = Helm(folder)
        assert helm.rate is None or 0 < helm.rate < float("inf")
        folder.log.cut(step=3)

    assert assert_survives(read, damaged(LOGGED, kind)) > 0
