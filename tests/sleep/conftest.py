"""Small programs, and what tests of this room need of the machine."""

from collections.abc import Callable
from pathlib import Path

import pytest

from llmlab.method.environment import CACHE_DIR
from llmlab.sleep.koans.judges import judge
from llmlab.sleep.koans.koan import Case, Language, Program
from llmlab.sleep.koans.rust import compiler
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.sandbox.sandbox import Unguarded


@pytest.fixture(scope="session")
def needs_rust() -> None:
    """Skips the test where there is no Rust compiler."""
    if compiler() is None:
        pytest.skip("there is no Rust compiler here")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of this test are kept in a folder of its own."""
    monkeypatch.setenv(CACHE_DIR, str(tmp_path / "cache"))


@pytest.fixture
def judge_successor() -> Callable[..., list[Verdict]]:
    """Judges programs that are to define f(n) = n + 1."""
    cases = (Case("f(2)", "3"), Case("f(3)", "4"))

    def judged(language: Language, *codes: str) -> list[Verdict]:
        return judge(language, [Program(code, cases) for code in codes], Unguarded())

    return judged
