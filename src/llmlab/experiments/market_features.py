"""Do more indicators help?

The intervention is the tier of features. All tiers are judged and trained on the same days. A seed
is another chunk of test days.
"""

from llmlab.market.models.measures import SCORES, TRAINING, learnt, measured, tokens
from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Subject, Trial

WARM_UP = 251
"""Bars of the longest window of tier c, so that no tier has days that another lacks."""


def run(trial: Trial) -> Outcome:
    from llmlab.market.features.tiers import tier
    from llmlab.market.models.study import INDEX, Study, real_bars
    from llmlab.market.models.training import Training
    from llmlab.market.samples.targets import Target
    from llmlab.market.samples.windows import Recipe

    recipe = Recipe(tier(trial.condition["tier"]), Target("5", 1), warm_up=WARM_UP)
    study = Study(real_bars(INDEX), recipe)
    budget = trial.settings["parameters"]
    answer = study.transformer(budget, Training(), trial.seed)
    return Outcome({**measured(answer), **learnt(answer)}, tokens=tokens(answer))


AXES = {"tier": ("a", "b", "c")}

EXPERIMENT = Experiment(
    name="market_features",
    title="Twenty indicators or two hundred",
    question="Q-FEATURES",
    summary="Gives a transformer 20, about 100 and about 250 features of the S&P 500.",
    subject=Subject("a transformer of one size", "daily bars of the S&P 500, 1999 to 2018"),
    axes=(Axis("tier", "Features: a 20, b about 100, c about 250; each includes the last."),),
    metrics=(*SCORES, *TRAINING),
    budgets={
        "smoke": Budget(AXES, 1, {"parameters": 20_000}),
        "laptop": Budget(AXES, 10, {"parameters": 20_000}),
        "gpu": Budget(AXES, 10, {"parameters": 2_000_000}),
    },
    run=run,
)
