"""Many small adapters, each of a piece of a family: what bases are made of."""

from dataclasses import replace

from llmlab.experiments import sleep_library
from llmlab.method.declare.experiment import Budget

PIECES = {"kind": ("pieces",)}

EXPERIMENT = replace(
    sleep_library.EXPERIMENT,
    name="sleep_pieces",
    title="A library of small adapters",
    question="Q-BASIS",
    summary="Deals the koans of the known families to many small adapters.",
    budgets={
        scale: Budget(PIECES, budget.seeds, budget.settings)
        for scale, budget in sleep_library.EXPERIMENT.budgets.items()
    },
)
