import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.readers import Run
from llmlab.finetune.curves.report import BARS, Report, print_reports, report, sparkline
from llmlab.method.errors import LabError

STEPS = np.arange(200)
FALL = 0.5 + 4 / (1 + STEPS / 10)


def noisy(values: np.ndarray, seed: int = 0) -> Curve:
    return Curve.of(enumerate(values + np.random.default_rng(seed).normal(0, 0.02, len(values))))


def found(**curves: Curve) -> dict[str, int | None]:
    return {finding.what: finding.step for finding in report(Run("run", curves)).findings}


def test_a_spike_is_reported_with_its_step() -> None:
    assert found(loss=noisy(FALL + 3.0 * (STEPS == 120)))["spike"] == 120


def test_overfitting_is_reported_with_its_step() -> None:
    turning = 1 + np.abs(STEPS - 80) / 50
    assert found(loss=noisy(FALL), validation_loss=noisy(turning, 1))[
        "over-fitting"
    ] == pytest.approx(80, abs=5)


def test_a_divergence_is_reported_with_its_step() -> None:
    values = FALL.copy()
    values[150:] = np.nan
    assert found(loss=Curve.of(enumerate(values)))["divergence"] == 150


def test_a_loss_that_goes_on_falling_is_extrapolated() -> None:
    assert "still falling" in found(loss=noisy(1 + 6 * (1 + STEPS) ** -0.1))


def test_both_losses_together_are_given_a_name() -> None:
    assert "looks like: healthy" in found(loss=noisy(FALL), validation_loss=noisy(FALL, 1))


def test_one_loss_alone_is_not() -> None:
    assert not any(what.startswith("looks like") for what in found(loss=noisy(FALL)))


def test_losses_whose_first_steps_were_not_validated_are_not() -> None:
    late = noisy(FALL, 1)
    late = Curve(late.steps[20:], late.values[20:])
    names = found(loss=noisy(FALL), validation_loss=late)
    assert not any(what.startswith("looks like") for what in names)


def test_a_few_points_are_called_too_short() -> None:
    assert list(found(loss=Curve.of([(0, 2.0), (1, 1.0)]))) == ["too short"]


def test_a_few_points_that_end_in_nan_have_diverged() -> None:
    assert found(loss=Curve.of([(0, 2.0), (1, float("nan"))]))["divergence"] == 1


def test_a_run_without_a_loss_says_what_it_has() -> None:
    with pytest.raises(LabError, match="accuracy"):
        report(Run("run", {"accuracy": Curve.of([(0, 1.0)])}))


def test_a_curve_that_falls_is_drawn_falling() -> None:
    assert sparkline(Curve.of(enumerate([7, 6, 5, 4, 3, 2, 1, 0]))) == BARS[::-1]


def test_what_is_not_finite_is_drawn_as_a_cross() -> None:
    assert sparkline(Curve.of([(0, 1.0), (1, float("nan"))])).endswith("x")


@given(st.lists(st.floats(allow_infinity=True, allow_nan=True), min_size=1, max_size=100))
def test_every_curve_can_be_drawn(values: list[float]) -> None:
    line = sparkline(Curve.of(enumerate(values)), width=20)
    assert 0 < len(line) <= 20
    assert set(line) <= {*BARS, "x"}


@given(st.lists(st.floats(allow_infinity=True, allow_nan=True, width=32), min_size=1, max_size=60))
def test_every_curve_can_be_reported(values: list[float]) -> None:
    curve = Curve.of(enumerate(values))
    assert isinstance(report(Run("run", {"loss": curve, "validation_loss": curve})), Report)


def test_the_table_shows_step_and_evidence() -> None:
    screen = io.StringIO()
    spiky = noisy(FALL + 3.0 * (STEPS == 120))
    print_reports([report(Run("run", {"loss": spiky}))], Console(file=screen, width=120))
    assert "120" in screen.getvalue()
    assert "over at step 121" in screen.getvalue()
