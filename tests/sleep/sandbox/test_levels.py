import pytest

from llmlab.method.errors import LabError
from llmlab.sleep.sandbox import levels
from llmlab.sleep.sandbox.bubblewrap import Bubblewrap
from llmlab.sleep.sandbox.landlock import Landlock
from llmlab.sleep.sandbox.levels import Probe, open_sandbox
from llmlab.sleep.sandbox.sandbox import Unguarded

NOTHING = Probe(Unguarded(), ("bubblewrap: bwrap is not installed",))


def test_without_a_sandbox_a_models_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "probe", lambda: NOTHING)
    with pytest.raises(LabError, match=r"bwrap is not installed.*--allow-unsandboxed"):
        open_sandbox()


def test_without_a_sandbox_the_level_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "probe", lambda: NOTHING)
    assert open_sandbox(allow_unsandboxed=True).level == "none"


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
