"""What experiments on nights need, of a coder that knows nothing, in less than a second."""

from collections.abc import Mapping
from pathlib import Path

from llmlab.experiments import sleep_base, sleep_library, sleep_pieces
from llmlab.method.declare.experiment import Experiment, Outcome, Trial, Value

BASE = {"koans": 18, "steps": 2, "exam_koans": 24}
LIBRARY = {"day_koans": 1, "exam_koans": 1, "steps": 1, "piece_steps": 1}


def brief(
    experiment: Experiment,
    condition: Mapping[str, Value],
    keep: Path,
    needs: Mapping[str, Path] | None = None,
    **settings: Value,
) -> Outcome:
    """One run of the smoke budget with some settings smaller."""
    whole = {**experiment.budgets["smoke"].settings, **settings}
    return experiment.run(Trial(experiment.name, "smoke", condition, 0, whole, needs or {}, keep))


def sleep_needs(folder: Path) -> dict[str, Path]:
    """A base and a library of both kinds of adapters."""
    needs = {name: folder / name for name in ("sleep_base", "sleep_library", "sleep_pieces")}
    brief(sleep_base.EXPERIMENT, {"d_model": 16}, needs["sleep_base"], **BASE)
    for module, kind in ((sleep_library, "families"), (sleep_pieces, "pieces")):
        experiment = module.EXPERIMENT
        outcome = brief(experiment, {"kind": kind}, needs[experiment.name], needs, **LIBRARY)
        assert set(outcome.metrics) == {each.name for each in experiment.metrics}
    return needs
