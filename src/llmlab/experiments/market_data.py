"""Does it help to learn from other assets as well?

The intervention is what a model is trained on; it is judged on the S&P 500 alone. Test and
validation days are left out for all assets. A seed is another chunk of test days.
"""

from llmlab.market.models.measures import SCORES, TRAINING, learnt, measured, tokens
from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Subject, Trial


def run(trial: Trial) -> Outcome:
    from llmlab.market.features.tiers import tier
    from llmlab.market.models.study import ALL_ASSETS, INDEX, Study, real_bars
    from llmlab.market.models.training import Training
    from llmlab.market.samples.targets import Target
    from llmlab.market.samples.windows import Recipe

    names = {"index alone": INDEX, "all assets": ALL_ASSETS}[trial.condition["assets"]]
    study = Study(real_bars(names), Recipe(tier("a"), Target("5", 1)))
    budget = trial.settings["parameters"]
    answer = study.transformer(budget, Training(), trial.seed)
    return Outcome({**measured(answer), **learnt(answer)}, tokens=tokens(answer))


AXES = {"assets": ("index alone", "all assets")}

EXPERIMENT = Experiment(
    name="market_data",
    title="One index or every asset",
    question="Q-MARKET-DATA",
    summary="Trains a transformer on the S&P 500 alone, or with the Nasdaq and five stocks.",
    subject=Subject(
        "a transformer on the features of tier a",
        "daily bars of the S&P 500, the Nasdaq and five stocks",
    ),
    axes=(Axis("assets", "What the model learns from; it is judged on the S&P 500."),),
    metrics=(*SCORES, *TRAINING),
    budgets={
        "smoke": Budget(AXES, 1, {"parameters": 2000}),
        "laptop": Budget(AXES, 10, {"parameters": 20_000}),
        "gpu": Budget(AXES, 10, {"parameters": 2_000_000}),
    },
    run=run,
)
