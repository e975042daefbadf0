import numpy as np

from llmlab.market.models.architecture import Architecture
from llmlab.market.models.scores import log_losses
from llmlab.market.models.training import Run, Training, train

SHAPE = Architecture(n_features=3, look_back=8, patch=4, d_model=8, n_layers=1, n_heads=2)
BRIEF = Training(epochs=6, batch_size=64)


def loss(trained, samples) -> float:
    return float(log_losses(trained.probabilities(samples), samples.y_M).mean())


def test_a_planted_signal_is_learnt(draw_parts) -> None:
    parts = draw_parts(3.0)
    assert loss(train(SHAPE, BRIEF, parts, 0), parts.test) < 0.5


def test_noise_stays_at_the_base_rate(draw_parts) -> None:
    parts = draw_parts(0.0)
    found = train(SHAPE, BRIEF, parts, 0)
    assert abs(loss(found, parts.test) - np.log(2)) < 0.02


def test_the_best_epoch_is_kept(draw_parts) -> None:
    parts = draw_parts(1.0)
    found = train(SHAPE, Training(epochs=4, batch_size=64, learning_rate=0.1), parts, 0)
    assert np.isclose(loss(found, parts.validation), found.best.validation_loss, atol=1e-5)


def test_it_stops_when_the_validation_loss_no_longer_falls(draw_parts) -> None:
    found = train(SHAPE, Training(epochs=40, patience=2, learning_rate=0.1), draw_parts(0.0), 0)
    assert len(found.epochs) - 1 == found.best.epoch + 2


def test_a_seed_gives_the_same_model(draw_parts) -> None:
    parts = draw_parts(1.0)
    one, again = (train(SHAPE, Training(epochs=2), parts, 7) for _ in range(2))
    np.testing.assert_array_equal(one.probabilities(parts.test), again.probabilities(parts.test))


def test_test_samples_are_not_needed(draw_parts) -> None:
    run = Run(SHAPE, Training(epochs=1), draw_parts(1.0).without_test(), 0)
    assert [epoch.epoch for epoch in run.epochs()] == [0, 1]


def test_weights_alone_are_decayed(draw_parts) -> None:
    run = Run(SHAPE, BRIEF, draw_parts(0.0), 0)
    decayed, others = run._optimizer().param_groups
    assert all(p.dim() == 2 for p in decayed["params"])
    assert sum(p.numel() for g in (decayed, others) for p in g["params"]) == SHAPE.n_parameters
