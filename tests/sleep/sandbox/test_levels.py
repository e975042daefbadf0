import resource

import pytest

from llmlab.method.errors import LabError
from llmlab.sleep.koans import python, rust
from llmlab.sleep.sandbox import levels
from llmlab.sleep.sandbox.bubblewrap import Bubblewrap
from llmlab.sleep.sandbox.container import Container
from llmlab.sleep.sandbox.landlock import Landlock
from llmlab.sleep.sandbox.levels import Probe, open_sandbox, require_limits, strongest
from llmlab.sleep.sandbox.sandbox import Unguarded

ABSENT = "neither podman nor docker is installed"
NOTHING = Probe(Unguarded(), ("bubblewrap: bwrap is not installed",))


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither bubblewrap nor Landlock works, and nobody runs containers."""
    monkeypatch.setattr(levels, "probe", lambda: NOTHING)
    monkeypatch.setattr(Container, "missing", lambda self: ABSENT)


@pytest.mark.usefixtures("no_kernel")
def test_without_a_sandbox_a_models_code_is_refused() -> None:
    with pytest.raises(LabError, match=rf"bwrap is not installed; container: {ABSENT}.*--allow-un"):
        open_sandbox()


@pytest.mark.usefixtures("no_kernel")
def test_without_a_sandbox_the_level_says_so() -> None:
    assert open_sandbox(allow_unsandboxed=True).level == "none"


@pytest.mark.usefixtures("no_kernel")
def test_a_container_is_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Container, "missing", lambda self: "")
    monkeypatch.setattr(levels, "failure", lambda sandbox: "")
    assert strongest() == Probe(Container(), NOTHING.reasons)
    assert open_sandbox().level == "container"


def test_a_container_is_not_looked_for_where_the_kernel_has_walls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(levels, "probe", lambda: Probe(Landlock()))
    monkeypatch.setattr(Container, "missing", lambda self: pytest.fail("it was looked for"))
    assert strongest() == Probe(Landlock())


def test_a_missing_tool_is_named_and_the_next_level_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(levels.sys, "platform", "linux")
    monkeypatch.setattr(levels, "failure", lambda sandbox: "")
    monkeypatch.setattr(Landlock, "missing", lambda self: "")
    found = levels.probe.__wrapped__()
    assert found == Probe(Landlock(), ("bubblewrap: bwrap is not installed",))


def test_a_level_that_does_not_start_is_left_with_what_it_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(levels, "LEVELS", (Bubblewrap(),))
    monkeypatch.setattr(Bubblewrap, "missing", lambda self: "")
    monkeypatch.setattr(levels, "failure", lambda sandbox: "it does not start (no namespaces)")
    assert levels.probe.__wrapped__() == Probe(
        Unguarded(), ("bubblewrap: it does not start (no namespaces)",)
    )


def test_a_low_limit_of_the_shell_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(kind: int, limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (2**30, 2**30))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    with pytest.raises(LabError, match=r"`ulimit -v` is lower \(1,073,741,824 where 4,294,967,296"):
        require_limits()


def test_the_highest_limits_are_those_of_the_judges() -> None:
    judges = (python.RUN, rust.COMPILE, rust.RUN)
    most = {kind: value for _, kind, value in levels.MOST}
    assert most[resource.RLIMIT_AS] == max(judge.memory_bytes for judge in judges)
    assert most[resource.RLIMIT_CPU] == max(judge.cpu_seconds for judge in judges) + 1
