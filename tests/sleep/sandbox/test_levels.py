import pytest

from llmlab.method.errors import LabError
from llmlab.sleep.sandbox import levels
from llmlab.sleep.sandbox.levels import Probe, open_sandbox


def test_without_a_sandbox_a_models_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "probe", lambda: Probe("none", "bwrap is not installed"))
    with pytest.raises(LabError, match=r"bwrap is not installed.*--allow-unsandboxed"):
        open_sandbox()


def test_without_a_sandbox_the_level_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "probe", lambda: Probe("none", "bwrap is not installed"))
    assert open_sandbox(allow_unsandboxed=True).level == "none"


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(levels.sys, "platform", "linux")
    assert levels.probe.__wrapped__() == Probe("none", "bwrap is not installed")
