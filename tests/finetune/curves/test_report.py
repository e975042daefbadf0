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
    spiky = Curve.of(enumerate(FALL + 3.0 * (STEPS == 120)))
    print_reports([report(Run("run", {"loss": spiky}))], Console(file=screen, width=120))
    assert "120" in screen.getvalue()
    assert "over at step 121" in screen.getvalue()


@pytest.mark.parametrize("size", [1e-300, 1e160, 1e300, -1e300])
def test_a_loss_of_any_size_is_read(size: float) -> None:
    diagnosed = report(Run("run", {"loss": Curve.of(enumerate(size * FALL))}))
    print_reports([diagnosed])
    assert diagnosed.findings
