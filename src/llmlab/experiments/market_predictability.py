"""Can any model say more about tomorrow's market than how often it rises?

The interventions are the model and the question that it is asked. A seed is another chunk of test
days, so an interval over seeds is one over disjoint periods.
"""

from llmlab.market.models.measures import GAIN_CURVE, SCORES, TRAINING, learnt, measured, tokens
from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Subject, Trial

TARGETS = {"up tomorrow": ("1", 0), "up 1 % in 5 days": ("5", 1)}
"""Horizon in bars and threshold in percent of each question."""


def run(trial: Trial) -> Outcome:
    from llmlab.market.features.tiers import tier
    from llmlab.market.models.study import INDEX, Study, real_bars, weekly
    from llmlab.market.models.training import Training
    from llmlab.market.samples.targets import Target
    from llmlab.market.samples.windows import Recipe

    target = Target(*TARGETS[trial.condition["target"]])
    study = Study(real_bars(INDEX), Recipe(tier("a"), target))
    if trial.condition["model"] == "transformer":
        answer = study.transformer(trial.settings["parameters"], Training(), trial.seed)
    else:
        answer = study.baseline(trial.condition["model"], trial.seed)
    return Outcome(
        metrics={**measured(answer), **learnt(answer)},
        curves={"weekly_gain": weekly(answer.score.gain_M)},
        tokens=tokens(answer),
    )


MODELS = ("constant", "logistic", "HAR", "boosting", "transformer")
AXES = {"model": MODELS, "target": tuple(TARGETS)}

EXPERIMENT = Experiment(
    name="market_predictability",
    title="What can be said about tomorrow",
    question="Q-MARKET-SKILL",
    summary="Asks five models about the S&P 500 and scores them against its base rate.",
    subject=Subject(
        "a transformer and four simpler models", "daily bars of the S&P 500, 1999 to 2018"
    ),
    axes=(
        Axis("model", "The model; the constant is the base rate of the training rows."),
        Axis("target", "What is asked about the close, relative to today's."),
    ),
    metrics=(*SCORES, *TRAINING),
    curves=(GAIN_CURVE,),
    budgets={
        "smoke": Budget(AXES, 1, {"parameters": 2000}),
        "laptop": Budget(AXES, 10, {"parameters": 2000}),
        "gpu": Budget(AXES, 10, {"parameters": 200_000}),
    },
    run=run,
)
