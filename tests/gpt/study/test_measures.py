import math
from dataclasses import replace

from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.pretraining import Pretraining, PretrainingRecipe
from llmlab.gpt.study.measures import CURVES, METRICS, Log


def log_of(recipe: PretrainingRecipe, session: PretrainingSession) -> Log:
    log = Log(recipe.train.steps, every=5)
    for event in Pretraining(recipe, session.encoded.tokens).events():
        log.see(event)
    return log


def test_a_run_fills_every_metric_and_curve(session: PretrainingSession) -> None:
    log = log_of(session.recipe, session)
    assert set(log.metrics(7)) == {metric.name for metric in METRICS}
    assert set(log.curves) == {curve.name for curve in CURVES}
    assert [step for step, _ in log.curves["loss"]] == [0, 5, 10, 11]
    assert [step for step, _ in log.curves["validation_loss"]] == [0, 4, 8, 12]
    assert log.tokens == 12 * 4 * 8
    assert log.seconds == log.times[-1][1] > 0
    assert log.metrics(7)["parameters"] == 7
    assert log.metrics(7)["validation_loss"] == log.validations[-1].loss
    assert log.status == "completed"


def test_divergence_is_a_row_of_its_own_status(session: PretrainingSession) -> None:
    train = replace(session.recipe.train, learning_rate=1e30)
    log = log_of(replace(session.recipe, train=train), session)
    assert log.status == "diverged"
    assert math.isnan(log.metrics(7)["validation_loss"])
    assert math.isnan(log.metrics(7)["bits_per_byte"])
    assert all(math.isfinite(loss) for _, loss in log.curves["loss"])
