"""The catalog of experiments and scales."""

import difflib
import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec

from llmlab.method.declare.experiment import SCALES, Budget, Experiment
from llmlab.method.errors import LabError

RESERVED_COLUMNS = frozenset(
    {"run_id", "seed", "status", "seconds", "tokens", "peak_memory_mib", "metric", "step", "value"}
)


def experiment_names() -> list[str]:
    """Names of all modules in `llmlab.experiments`, sorted; imports none of them."""
    package = importlib.import_module("llmlab.experiments")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def load_experiment(name: str) -> Experiment:
    """The experiment that the module `llmlab.experiments.<name>` declares.

    Raises:
        LabError: the module does not exist or cannot be imported, or its declaration is wrong.
    """
    if not _exists(name):
        raise LabError(
            f"unknown experiment '{name}'{suggestion(name, experiment_names())}; "
            "`llmlab status` lists all experiments."
        )
    path = f"src/llmlab/experiments/{name}.py"
    try:
        module = importlib.import_module(f"llmlab.experiments.{name}")
    except Exception as error:
        raise LabError(
            f"{path} cannot be imported: {type(error).__name__}: {error}; correct the file."
        ) from error
    experiment = getattr(module, "EXPERIMENT", None)
    if not isinstance(experiment, Experiment):
        raise LabError(f"{path} must define EXPERIMENT = Experiment(...).")
    for mistake in _mistakes(experiment, name):
        raise LabError(f"{path}: {mistake}.")
    return experiment


def catalog() -> dict[str, Experiment]:
    """All experiments by name; errors as `load_experiment`."""
    return {name: load_experiment(name) for name in experiment_names()}


def scale_budget(experiment: Experiment, scale: str) -> Budget:
    """The budget of `experiment` at `scale`.

    Raises:
        LabError: the scale does not exist, or the experiment has no budget for it.
    """
    check_scale(scale)
    if scale not in experiment.budgets:
        raise LabError(
            f"{experiment.name} has no budget for scale '{scale}'; "
            f"use one of {', '.join(experiment.budgets)}."
        )
    return experiment.budgets[scale]


def check_scale(scale: str) -> None:
    """Raise LabError if there is no such scale."""
    if scale not in SCALES:
        raise LabError(
            f"unknown scale '{scale}'{suggestion(scale, SCALES)}; use one of {', '.join(SCALES)}."
        )


def suggestion(name: str, known: Iterable[str]) -> str:
    """ " (did you mean 'x'?)" for the nearest known name, or the empty string."""
    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean '{nearest[0]}'?)" if nearest else ""


def _exists(name: str) -> bool:
    """Whether a module of this name exists, found without listing them all."""
    return name.isidentifier() and find_spec(f"llmlab.experiments.{name}") is not None


def _mistakes(experiment: Experiment, name: str) -> Iterable[str]:
    """The mistakes in a declaration, one phrase each."""
    axes = [axis.name for axis in experiment.axes]
    if experiment.name != name:
        yield f"its name is '{experiment.name}' but must equal the module's name, '{name}'"
    yield from _mistakes_in_columns(axes, experiment)
    for needed in experiment.needs:
        if needed == name or not _exists(needed):
            nearest = suggestion(needed, experiment_names())
            yield f"it needs '{needed}', which is not another experiment{nearest}"
    for scale, budget in experiment.budgets.items():
        yield from _mistakes_in_budget(scale, budget, axes)


def _mistakes_in_columns(axes: list[str], experiment: Experiment) -> Iterable[str]:
    metrics = [metric.name for metric in experiment.metrics]
    columns = Counter(axes + metrics)
    for column in sorted(RESERVED_COLUMNS & columns.keys()):
        yield f"'{column}' is a column of every table; give the axis or metric another name"
    for column in sorted(name for name, count in columns.items() if count > 1):
        yield f"'{column}' names two axes or metrics"
    if experiment.selection_metric not in (None, *metrics):
        nearest = suggestion(experiment.selection_metric, metrics)
        yield f"selection_metric '{experiment.selection_metric}' is not one of its metrics{nearest}"


def _mistakes_in_budget(scale: str, budget: Budget, axes: list[str]) -> Iterable[str]:
    if scale not in SCALES:
        yield f"unknown scale '{scale}'{suggestion(scale, SCALES)}"
    if set(budget.conditions) != set(axes):
        yield f"the conditions of its {scale} budget must cover exactly its axes, {axes}"
    if budget.seeds < 1 or budget.threads < 1:
        yield f"its {scale} budget needs at least one seed and one thread"
    for axis, levels in budget.conditions.items():
        if not levels:
            yield f"its {scale} budget has no level for the axis '{axis}'"
        if len(set(map(str, levels))) < len(levels):
            yield f"its {scale} budget repeats a level of the axis '{axis}'"
        for level in levels:
            if type(level) not in (str, int, float, bool):
                yield f"{level!r} in its {scale} budget is not a str, int, float or bool"
