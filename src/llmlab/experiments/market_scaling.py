"""Does the loss on a market fall with the parameters of the model?

The interventions are the parameters and the horizon. A seed is another chunk of test days. At gpu
scale this is the plan of 384 runs: four budgets, four horizons, four thresholds, three tiers, two
periods.
"""

from llmlab.market.models.measures import SCORES, TRAINING, learnt, measured, tokens
from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Subject, Trial

WARM_UP = 251
"""Bars of the longest window of tier c, so that all conditions have the same days."""


def run(trial: Trial) -> Outcome:
    from llmlab.market.features.tiers import tier
    from llmlab.market.models.study import INDEX, Study, real_bars
    from llmlab.market.models.training import Training
    from llmlab.market.samples.targets import Target
    from llmlab.market.samples.windows import Recipe

    condition = trial.condition
    target = Target(str(condition["horizon"]), condition["threshold"])
    study = Study(real_bars(INDEX), Recipe(tier(condition["tier"]), target, warm_up=WARM_UP))
    answer = study.transformer(condition["parameters"], Training(), trial.seed)
    return Outcome({**measured(answer), **learnt(answer)}, tokens=tokens(answer))


EXPERIMENT = Experiment(
    name="market_scaling",
    title="Parameters against the market",
    question="Q-SCALING-MARKET",
    summary="Trains ever larger transformers on the S&P 500 and measures their loss.",
    subject=Subject("transformers by parameter budget", "daily bars of the S&P 500, 1999 to 2018"),
    axes=(
        Axis("parameters", "Parameters of the transformer, within 0.1 %.", "parameters"),
        Axis("horizon", "Bars that the question looks ahead.", "days"),
        Axis("threshold", "Rise that the question asks about, in percent."),
        Axis("tier", "Features: a 20, b about 100, c about 250."),
    ),
    metrics=(*SCORES, *TRAINING),
    budgets={
        "smoke": Budget(
            {"parameters": (2000, 20_000), "horizon": (5,), "threshold": (1,), "tier": ("a",)}, 1
        ),
        "laptop": Budget(
            {
                "parameters": (2000, 20_000, 200_000),
                "horizon": (1, 5),
                "threshold": (1,),
                "tier": ("a",),
            },
            10,
        ),
        "gpu": Budget(
            {
                "parameters": (2_000_000, 20_000_000, 200_000_000, 2_000_000_000),
                "horizon": (1, 2, 3, 5),
                "threshold": (1, 2, 3, 5),
                "tier": ("a", "b", "c"),
            },
            2,
        ),
    },
    run=run,
)
