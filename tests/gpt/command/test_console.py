import pytest
import torch

from llmlab.gpt.alarms import Alarm
from llmlab.gpt.command.console import Meter, show
from llmlab.gpt.command.run_events import Diverged, Saved
from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.pretraining import PretrainingRecipe, Validation
from llmlab.gpt.speed import mfu
from llmlab.gpt.training import Point
from llmlab.method.errors import LabError


def point(step: int, seconds: float = 0.5) -> Point:
    return Point(step, 100, 2.0, 1.0, 1e-3, seconds)


@pytest.fixture
def meter(session: PretrainingSession, monkeypatch: pytest.MonkeyPatch) -> Meter:
    monkeypatch.setattr("llmlab.gpt.command.console.peak_flops", lambda device, precision: 1e9)
    return Meter(session.recipe, torch.device("cpu"), world=2)


def test_the_meter_divides_tokens_by_the_seconds_of_steps(
    meter: Meter, session: PretrainingSession
) -> None:
    assert str(meter) == ""
    for step in range(3):
        meter.see(point(step))
    share = mfu(session.recipe.shape, 200, peak=2e9)
    assert str(meter) == f"200 tokens/s, MFU {share:.0%}"


def test_the_meter_forgets_a_slow_start(meter: Meter) -> None:
    meter.see(point(0, seconds=100))
    for step in range(1, 300):
        meter.see(point(step))
    assert str(meter).startswith("200 tokens/s")


def test_events_are_shown_as_they_come(
    session: PretrainingSession, meter: Meter, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe: PretrainingRecipe = session.recipe
    events = [
        Validation(0, 5.5, 2.25),
        *map(point, range(12)),
        Alarm(7, "spike", "the loss jumped."),
        Saved(12, "run/checkpoints/step-00000012"),
    ]
    show(events, "tiny", recipe, meter)
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "step 0: validation loss 5.500 nats/token, 2.250 bits/byte",
        "step 12: saved run/checkpoints/step-00000012",
    ]
    lines = said.err.splitlines()
    assert lines[0].startswith("tiny 1/12")
    assert "loss 2.000, 200 tokens/s" in lines[0]
    assert lines[11].startswith("tiny 12/12")
    assert lines[12] == "step 7: spike: the loss jumped."


def test_divergence_ends_in_an_error(session: PretrainingSession, meter: Meter) -> None:
    diverged = Diverged(3, 2, 0.1, float("nan"), float("inf"))
    with pytest.raises(
        LabError, match=r"stopped at step 3, where the loss is nan and the gradient"
    ):
        show([diverged], "tiny", session.recipe, meter)
