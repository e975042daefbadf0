import numpy as np
import pytest

from llmlab.market.models.baselines import boosting, constant, logistic
from llmlab.market.models.scores import log_losses


def test_a_constant_is_the_base_rate(draw_parts) -> None:
    parts = draw_parts(0.0)
    np.testing.assert_allclose(constant(parts)(parts.test), parts.train.y_M.mean())


@pytest.mark.parametrize("fit", [logistic, boosting])
def test_a_planted_signal_is_found(draw_parts, fit) -> None:
    parts = draw_parts(3.0)
    assert log_losses(fit(parts)(parts.test), parts.test.y_M).mean() < 0.5


@pytest.mark.parametrize("fit", [logistic, boosting])
def test_noise_costs_little(draw_parts, fit) -> None:
    parts = draw_parts(0.0)
    assert log_losses(fit(parts)(parts.test), parts.test.y_M).mean() < np.log(2) + 0.03
