"""Days to reach a token budget, including interruptions."""

from dataclasses import dataclass

from llmlab.cluster.physics.prediction import Prediction
from llmlab.cluster.wear.causes import mean_time_between
from llmlab.cluster.wear.checkpoints import RESTART, Wear, daly, goodput, save_seconds

DAY = 86400.0


@dataclass(frozen=True)
class RunEstimate:
    """Expected course of a whole training run.

    Attributes:
        days, days_without: duration with and without interruptions.
        goodput: share of the time spent on work that is not lost.
        interval_s: seconds between checkpoints, by Daly.
        hours_between: mean time between interruptions.
    """

    tokens: float
    days: float
    days_without: float
    goodput: float
    interruptions: float
    interval_s: float
    save_s: float
    hours_between: float


def estimate_run(prediction: Prediction, tokens: float) -> RunEstimate:
    """The time of `prediction`'s plan for `tokens` tokens, with Llama 3's interruption rate."""
    plan = prediction.plan
    wear = Wear(
        between=mean_time_between(plan.gpus),
        save=save_seconds(plan.shape.parameters, plan.gpus),
        restart=RESTART,
    )
    interval = daly(wear)
    share = goodput(wear, interval)
    without = tokens / (prediction.tokens_per_s_per_gpu * plan.gpus) / DAY
    days = without / share
    return RunEstimate(
        tokens=tokens,
        days=days,
        days_without=without,
        goodput=share,
        interruptions=days * DAY / wear.between,
        interval_s=interval,
        save_s=wear.save,
        hours_between=wear.between / 3600,
    )
