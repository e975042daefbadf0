"""Does the pipeline find a law where there is one, and how strong must the signal be?

The market is synthetic: its best attainable loss is known. The interventions are the strength of
the signal, the days of history and the parameters of the model. A seed draws another market.
"""

from llmlab.market.models.measures import SCORES, TRAINING, learnt, measured, tokens
from llmlab.method.declare.experiment import Axis, Budget, Experiment, Metric, Outcome, Trial

TEST_CHUNK = 5


def run(trial: Trial) -> Outcome:
    import numpy as np

    from llmlab.market.bars.synthetic import known_market
    from llmlab.market.features.tiers import tier
    from llmlab.market.models.study import Study
    from llmlab.market.models.training import Training
    from llmlab.market.samples.targets import Target
    from llmlab.market.samples.windows import Recipe

    condition = trial.condition
    market = known_market(condition["days"], condition["strength"], trial.seed)
    study = Study((market.bars,), Recipe(tier("a"), Target("1")))
    answer = study.transformer(condition["parameters"], Training(), TEST_CHUNK)
    days, said = answer.parts.test.day_M, answer.probability_M
    lowest = market.lowest_loss(days)
    attainable = market.expected_loss(np.full_like(said, answer.base_rate), days) - lowest
    excess = market.expected_loss(said, days) - lowest
    return Outcome(
        metrics={
            **measured(answer),
            **learnt(answer),
            "attainable": attainable,
            "expected_gain": attainable - excess,
            "excess": excess,
            "captured": 1 - excess / attainable if condition["strength"] else 0.0,
        },
        tokens=tokens(answer),
    )


LAPTOP = {
    "strength": (0.0, 0.25, 0.5, 1.0, 2.0),
    "days": (1250, 2500, 5000),
    "parameters": (2000, 20000),
}

EXPERIMENT = Experiment(
    name="market_control",
    title="A market whose answer is known",
    question="Q-SCALING-KNOWN",
    summary="Runs the whole pipeline on synthetic markets whose best attainable loss is known.",
    axes=(
        Axis("strength", "Factor of the signal in the log odds of a rise; 0 is a fair coin."),
        Axis("days", "Days of history.", "days"),
        Axis("parameters", "Parameters of the transformer, within 0.1 %.", "parameters"),
    ),
    metrics=(
        *SCORES,
        *TRAINING,
        Metric(
            "attainable",
            "Gain of the true probabilities over the base rate, averaged over all draws.",
            "nats/day",
            tolerance=0.01,
        ),
        Metric(
            "expected_gain",
            "Gain of the model over the base rate, averaged over all draws of the test days.",
            "nats/day",
            "higher",
            tolerance=0.1,
        ),
        Metric("excess", "Attainable gain minus expected gain.", "nats/day", "lower", 0.1),
        Metric(
            "captured",
            "Expected gain as a share of the attainable one; 0 for a fair coin.",
            "share",
            "higher",
            tolerance=1,
        ),
    ),
    budgets={
        "smoke": Budget({"strength": (0.0, 2.0), "days": (1250,), "parameters": (2000,)}, 1),
        "laptop": Budget(LAPTOP, 20),
        "gpu": Budget(
            LAPTOP | {"days": (1250, 5000, 20000, 80000), "parameters": (2000, 20000, 200000)}, 20
        ),
    },
    run=run,
)
