import numpy as np
import pytest

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.readers import Run
from llmlab.finetune.curves.report import report

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
        "overfitting"
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


def test_a_loss_that_never_was_a_number_has_not_diverged() -> None:
    names = found(loss=Curve.of([(step, float("nan")) for step in range(1, 9)]))
    assert names == {"not finite": 1, "looks like: broken arithmetic": None}


def evidence(what: str, **curves: Curve) -> list[str]:
    findings = report(Run("run", curves)).findings
    return [finding.evidence for finding in findings if finding.what == what]


def test_two_stray_points_are_no_divergence() -> None:
    values = noisy(FALL).y
    values[[60, 61]] = np.nan, np.inf
    curves = {"loss": Curve.of(enumerate(values)), "validation_loss": noisy(FALL, 1)}
    names = found(**curves)
    assert names["not finite"] == 60
    assert "looks like: healthy" in names
    assert "divergence" not in names
    (sentence,) = evidence("not finite", **curves)
    assert "from step 60 to 61 (2 points) and recovers at step 62" in sentence


def test_stray_points_are_counted_where_there_are_many() -> None:
    values = noisy(FALL).y
    values[[20, 60, 100, 140, 180]] = np.nan
    curve = Curve.of(enumerate(values))
    assert len(evidence("not finite", loss=curve)) == 3
    assert evidence("not finite again", loss=curve) == [
        "2 further times in the training loss, 2 points"
    ]


def collapsed(at: int) -> Curve:
    """A smooth fall that is printed as exactly zero from a step on."""
    return Curve.of(enumerate(np.where(at <= STEPS, 0.0, np.round(FALL, 4))))


@pytest.mark.parametrize("at", [0, 1, 50, 195])
def test_a_loss_of_zero_with_a_broken_gradient_is_no_plateau(at: int) -> None:
    norm = Curve.of(enumerate(np.where(at <= STEPS, np.nan, 1.0)))
    names = found(loss=collapsed(at), gradient_norm=norm)
    assert names["zero loss"] == names["not finite"] == at
    assert "looks like: broken arithmetic" in names
    assert not {"plateau", "spike"} & names.keys()
    (sentence,) = evidence("not finite", loss=collapsed(at), gradient_norm=norm)
    assert sentence.startswith("gradient norm is not finite (nan) from step")
    assert "to the end" in sentence


def test_a_zero_that_passes_is_told_with_its_end() -> None:
    values = np.where((STEPS >= 50) & (STEPS < 60), 0, FALL)
    curve = Curve.of(enumerate(values))
    assert evidence("zero loss", loss=curve) == [
        "training loss is exactly 0 from step 50 to 59 (10 points) and recovers at step 60"
    ]
    assert "spike" not in found(loss=curve)


def test_a_loss_that_is_learned_down_to_zero_is_in_order() -> None:
    assert "zero loss" not in found(loss=Curve.of(enumerate(np.round(np.exp(-STEPS / 8), 4))))


def test_a_broken_gradient_norm_that_recovers_leaves_the_name_to_the_losses() -> None:
    norm = Curve.of(enumerate(np.where(STEPS < 3, np.inf, 1.0)))
    names = found(loss=noisy(FALL), validation_loss=noisy(FALL, 1), gradient_norm=norm)
    assert names["not finite"] == 0
    assert "looks like: healthy" in names


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_the_last_digit_of_a_printed_loss_is_no_spike(digits: int) -> None:
    printed = np.round(2 - STEPS * 0.3 * 10**-digits, digits)
    assert "spike" not in found(loss=Curve.of(enumerate(printed)))


@pytest.mark.parametrize("points", [5, 6, 15])
def test_a_short_fall_is_neither_a_rise_nor_given_a_cause(points: int) -> None:
    falling = Curve.of(enumerate([round(3 * 0.8**n, 3) for n in range(points)]))
    names = found(loss=falling, validation_loss=falling)
    assert not [name for name in names if name in ("rise", "plateau") or "looks" in name]


@pytest.mark.parametrize(
    "values",
    [
        [3, 2.5, 2.6, 2.2, 2.0],
        [3, 3, 2, 2, 1, 1],
        [2, 1, 2, 1, 2, 1],
        [3, 2.9, 2.8, 1.5, 0.4, 0.1],
        [3, 2.5, 2.1, 1.8, 1.6, 2.0],
    ],
    ids=str,
)
def test_the_noise_of_a_few_points_explains_nothing(values: list[float]) -> None:
    curve = Curve.of(enumerate(values))
    assert found(loss=curve, validation_loss=curve).keys() == {"nothing unusual"}


def test_a_few_points_that_stay_are_a_plateau() -> None:
    assert found(loss=Curve.of(enumerate([2.31, 2.3, 2.305, 2.29, 2.3])))["plateau"] == 0


def test_overfitting_beyond_the_start_is_no_divergence() -> None:
    training = Curve.of(enumerate([0.9, 0.3, 0.08, 0.02, 0.005, 0.001]))
    validation = Curve.of(enumerate([0.2965, 0.3117, 0.36, 0.4119, 0.4519, 0.47]))
    names = found(loss=training, validation_loss=validation)
    assert "overfitting" in names
    assert "divergence" not in names


def test_four_validation_losses_that_only_rise_are_enough() -> None:
    training = noisy(FALL)
    validation = Curve.of([(50, 0.2965), (100, 0.3117), (150, 0.4119), (199, 0.4519)])
    assert found(loss=training, validation_loss=validation)["overfitting"] == 50


def test_a_loss_that_turns_below_its_start_has_risen() -> None:
    turning = 1 + np.abs(STEPS - 120) / 60
    names = found(loss=noisy(turning))
    assert names["rise"] == pytest.approx(120, abs=8)
    assert not {"divergence", "plateau"} & names.keys()
