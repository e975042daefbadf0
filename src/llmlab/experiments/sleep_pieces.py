"""Many small adapters, each trained on a piece of a family, to make bases of."""

from dataclasses import replace

from llmlab.experiments import sleep_library
from llmlab.method.declare.experiment import Budget

PIECES = {"kind": ("pieces",)}

EXPERIMENT = replace(
    sleep_library.EXPERIMENT,
    name="sleep_pieces",
    title="A library of small adapters",
    question="Q-BASIS",
    summary="Trains many small adapters, each on a few koans of one known family.",
    budgets={
        scale: Budget(PIECES, budget.seeds, budget.settings)
        for scale, budget in sleep_library.EXPERIMENT.budgets.items()
    },
)
