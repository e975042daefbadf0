"""The columns that every market experiment reports. Importing them loads no library."""

from typing import TYPE_CHECKING

from llmlab.method.declare.experiment import Metric

if TYPE_CHECKING:
    from llmlab.market.models.study import Answer

SCORES = (
    Metric("log_loss", "Mean log loss on the test days.", "nats/day", "lower", tolerance=0.05),
    Metric(
        "gain",
        "Log loss of the training rows' base rate minus that of the model, on the test days.",
        "nats/day",
        "higher",
        tolerance=0.05,
    ),
    Metric(
        "brier_skill",
        "1 minus the Brier score over that of the training rows' base rate.",
        "share",
        "higher",
        tolerance=0.1,
    ),
    Metric(
        "diebold_mariano",
        "Gain over its standard error within the test days, which allows for dependence in time.",
        "1",
        "higher",
        tolerance=5,
    ),
    Metric(
        "gain_low",
        "Lower end of the 95 % interval of the gain, by blocks of test days.",
        "nats/day",
        tolerance=0.1,
    ),
    Metric("gain_high", "Upper end of the same interval of the gain.", "nats/day", tolerance=0.1),
    Metric("test_days", "Days that the model is judged on.", "days", tolerance=0),
    Metric("train_samples", "Samples that it learnt from.", "samples", tolerance=0),
)

TRAINING = (
    Metric(
        "best_epoch",
        "Epoch with the lowest validation loss; 0 if nothing learnt held up.",
        "epochs",
        tolerance=30,
    ),
    Metric("n_parameters", "Exact count of the model.", "parameters", tolerance=0),
)

GAIN_CURVE = Metric(
    "weekly_gain", "Mean gain of every five test days.", "nats/day", "higher", tolerance=1
)


def measured(answer: "Answer") -> dict[str, float]:
    """The columns `SCORES`."""
    from llmlab.market.models.scores import block_interval

    score = answer.score
    low, high = block_interval(score.gain_M)
    return {
        "log_loss": score.log_loss,
        "gain": score.gain,
        "brier_skill": score.brier_skill,
        "diebold_mariano": score.diebold_mariano,
        "gain_low": low,
        "gain_high": high,
        "test_days": len(score.gain_M),
        "train_samples": len(answer.parts.train),
    }


def learnt(answer: "Answer") -> dict[str, float]:
    """The columns `TRAINING`; 0 if no transformer was trained."""
    found = answer.trained
    return {
        "best_epoch": found.best.epoch if found else 0,
        "n_parameters": found.model.shape.n_parameters if found else 0,
    }


def tokens(answer: "Answer") -> int:
    """Number of tokens that a transformer was trained on."""
    found = answer.trained
    return found.samples_seen * found.model.shape.n_tokens if found else 0
