"""Every one of a hundred hostile programs is contained, and none is green."""

import importlib.util
import os
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from llmlab.sleep.koans.judges import judge
from llmlab.sleep.koans.koan import Case, Program
from llmlab.sleep.koans.rust import compiler
from llmlab.sleep.sandbox.bubblewrap import Bubblewrap
from llmlab.sleep.sandbox.container import Container
from llmlab.sleep.sandbox.landlock import Landlock
from llmlab.sleep.sandbox.levels import failure
from llmlab.sleep.sandbox.sandbox import Sandbox

AT_ONCE = 8
KINDS = {
    *("network", "files", "build", "processes", "memory", "time", "disk", "output", "links"),
    *("tricks", "imitation"),
}
pytestmark = pytest.mark.long
LEVELS = (Bubblewrap(), Landlock(), Container())
CASES = (Case("f(2)", "3"), Case("f(3)", "4"))


def load_suite() -> ModuleType:
    path = Path(__file__).with_name("hostile.py")
    spec = importlib.util.spec_from_file_location("hostile", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SUITE = load_suite().ALL


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server on this machine that a program should not reach."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_the_suite_has_a_hundred_programs_of_every_kind() -> None:
    assert len(SUITE) >= 100
    assert len({one.code for one in SUITE}) == len(SUITE)
    assert {one.kind for one in SUITE} == KINDS


@pytest.mark.parametrize("sandbox", LEVELS, ids=lambda sandbox: sandbox.level)
def test_no_hostile_program_gets_out_or_counts_as_green(
    sandbox: Sandbox, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := sandbox.missing() or failure(sandbox):
        pytest.skip(f"{sandbox.level} does not work here: {reason}")
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = outside / "secret.txt"
    secret.write_text("42")
    monkeypatch.setenv("SECRET_OF_THE_TEST", "hidden")
    places = {
        "SECRET": str(secret),
        "HOMEDIR": str(Path.home()),
        "OUTSIDE": str(outside),
        "PORT": str(port),
        "PARENT": str(os.getpid()),
    }
    languages = ["python"] if compiler() is None else ["python", "rust"]
    with ThreadPoolExecutor(AT_ONCE) as pool:  # most of them wait for a limit
        verdicts = pool.map(
            lambda one: judge(one.language, [Program(_placed(one.code, places), CASES)], sandbox),
            chosen := [one for one in SUITE if one.language in languages],
        )
    green = [one.code for one, (found,) in zip(chosen, verdicts, strict=True) if found.is_green]
    assert green == []
    assert [path.name for path in outside.iterdir()] == ["secret.txt"]
    assert secret.read_text() == "42"


def _placed(code: str, places: dict[str, str]) -> str:
    return re.sub(r"\b(?:" + "|".join(places) + r")\b", lambda match: places[match.group()], code)
