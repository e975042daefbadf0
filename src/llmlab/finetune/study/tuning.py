"""Fine-tune the base model on one task, and see what it learned and forgot."""

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from torch import nn

from llmlab.finetune.model.base_model import load_base_model
from llmlab.finetune.model.methods import Method
from llmlab.finetune.tasks.batches import encode, epochs
from llmlab.finetune.tasks.suites import grade, suite_accuracies
from llmlab.finetune.tasks.task import Task
from llmlab.gpt.training import Evaluation, History, TrainConfig, best_device, train
from llmlab.method.declare.experiment import Trial


@dataclass(frozen=True)
class Tuning:
    """One fine-tuning run, described.

    Attributes:
        base: folder of the base model.
        seed: fixes adapter and data order.
        suite_items: test items of each skill that show what was forgotten.
    """

    base: Path
    task: Task
    method: Method
    config: TrainConfig
    batch_size: int
    seed: int
    suite_items: int


def tuning_of(trial: Trial, task: Task, method: Method, **changes: object) -> Tuning:
    """The fine-tuning run that a trial asks for, on the one base model that it needs.

    The trial's settings and its condition name fields of `TrainConfig`, `batch_size` and
    `suite_items`; anything else that they name is the experiment's own.

    Args:
        changes: values to take in place of the trial's, by the same names, or `seed`.
    """
    values = {"seed": trial.seed, **trial.settings, **trial.condition, **changes}
    (base,) = trial.needs.values()
    names = [field.name for field in fields(TrainConfig) if field.name in values]
    return Tuning(
        base=base,
        task=task,
        method=method,
        config=TrainConfig(**{name: values[name] for name in names}),
        batch_size=values["batch_size"],
        seed=values["seed"],
        suite_items=values["suite_items"],
    )


@dataclass(frozen=True)
class Tuned:
    """What came of one fine-tuning run.

    Attributes:
        validation: on the items that choose hyper-parameters.
        test: on the items that are reported.
        suites: accuracy on each of the base model's skills afterwards.
        forgetting: mean over the skills of accuracy before minus accuracy after.
    """

    history: History
    validation: Evaluation
    test: Evaluation
    suites: dict[str, float]
    forgetting: float


def fine_tune(tuning: Tuning) -> Tuned:
    """Train and grade."""
    model, history = tuned_model(tuning)
    return graded(model, history, tuning)


def tuned_model(tuning: Tuning) -> tuple[nn.Module, History]:
    """Train only."""
    device = best_device()
    model = tuning.method.adapt(load_base_model(tuning.base, device), tuning.seed).to(device)
    batches = epochs(encode(tuning.task.train).to(device), tuning.batch_size, tuning.seed)
    return model, train(model, batches, tuning.config)


def graded(model: nn.Module, history: History, tuning: Tuning) -> Tuned:
    """Grade a tuned model on its task and on the base model's skills."""
    device = best_device()
    suites = suite_accuracies(model, tuning.suite_items, device)
    before = accuracies_of_base(tuning.base, tuning.suite_items)
    return Tuned(
        history=history,
        validation=grade(model, tuning.task.validation, device),
        test=grade(model, tuning.task.test, device),
        suites=suites,
        forgetting=sum(before[name] - suites[name] for name in suites) / len(suites),
    )


@cache
def accuracies_of_base(base: Path, n_items: int) -> dict[str, float]:
    """Accuracy of the base model itself on the first `n_items` test items of each skill."""
    device = best_device()
    return suite_accuracies(load_base_model(base, device), n_items, device)
