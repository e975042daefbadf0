"""The base model that fine-tuning starts from: one small GPT learns four skills at once."""

from collections.abc import Iterator
from pathlib import Path

from llmlab.method.declare.experiment import (
    SCALES,
    Axis,
    Budget,
    Experiment,
    Metric,
    Outcome,
    Subject,
    Trial,
)
from llmlab.method.evidence.manifest import KEPT, require_kept
from llmlab.method.project import Project

SKILLS = ("math", "reasoning", "code", "knowledge")


def run(trial: Trial) -> Outcome:
    from llmlab.finetune.model.base_model import new_base_model, save_base_model
    from llmlab.finetune.study.base_model import learn_skills
    from llmlab.finetune.tasks.suites import suite_accuracies
    from llmlab.gpt.training import TrainConfig, best_device

    settings = trial.settings
    model = new_base_model(
        trial.condition["d_model"],
        n_layers=settings["n_layers"],
        n_heads=settings["n_heads"],
        context=32,
        seed=trial.seed,
    ).to(best_device())
    config = TrainConfig(
        learning_rate=settings["learning_rate"],
        steps=settings["steps"],
        weight_decay=0.1,
        precision=settings["precision"],
        log_every=settings["steps"] // 50,
    )
    shares = {name: settings[f"batch_{name}"] for name in SKILLS}
    learned = learn_skills(model, shares, config, trial.seed, grade_every=settings["steps"] // 10)
    save_base_model(model, trial.keep)
    return Outcome(
        metrics={
            **suite_accuracies(model, settings["test_items"], best_device()),
            "train_loss": learned.history.points[-1].loss,
            "parameters": model.n_parameters(),
        },
        curves={"loss": learned.history.curve("loss"), **learned.accuracies},
        tokens=learned.history.tokens,
    )


def accuracy(name: str, what: str) -> Metric:
    return Metric(name, f"Exact answers on held-out {what}.", "share", "higher", tolerance=0.05)


ACCURACIES = (
    accuracy("math", "two-digit sums"),
    accuracy("reasoning", "transitive orders"),
    accuracy("code", "calls of string functions"),
    accuracy("knowledge", "phrasings of known facts"),
)

EXPERIMENT = Experiment(
    name="base_model",
    title="The base model",
    question="Q-BASE",
    summary="Trains the small GPT that every fine-tuning experiment starts from.",
    subject=Subject("a GPT of the size `micro`", "four made-up skills with exact answers"),
    axes=(Axis("d_model", "Width of the residual stream.", "dimensions"),),
    metrics=(
        *ACCURACIES,
        Metric("train_loss", "Loss of the last batch.", "nats/token", "lower", tolerance=0.05),
        Metric("parameters", "Parameters, the shared embedding counted once.", "parameters"),
    ),
    curves=(Metric("loss", "Loss of one batch.", "nats/token", "lower"), *ACCURACIES),
    budgets={
        "smoke": Budget(
            conditions={"d_model": (32,)},
            seeds=1,
            threads=2,
            settings={
                "n_layers": 2,
                "n_heads": 4,
                "steps": 150,
                "learning_rate": 5e-3,
                "batch_math": 12,
                "batch_reasoning": 6,
                "batch_code": 4,
                "batch_knowledge": 10,
                "test_items": 100,
                "precision": "float32",
            },
        ),
        "laptop": Budget(
            conditions={"d_model": (128,)},
            seeds=1,
            threads=2,
            settings={
                "n_layers": 4,
                "n_heads": 4,
                "steps": 2000,
                "learning_rate": 2e-3,
                "batch_math": 48,
                "batch_reasoning": 20,
                "batch_code": 12,
                "batch_knowledge": 48,
                "test_items": 1000,
                "precision": "float32",
            },
        ),
        "gpu": Budget(
            conditions={"d_model": (384,)},
            seeds=3,
            kept_by_seed=True,
            settings={
                "n_layers": 6,
                "n_heads": 6,
                "steps": 1500,
                "learning_rate": 1e-3,
                "batch_math": 192,
                "batch_reasoning": 80,
                "batch_code": 48,
                "batch_knowledge": 192,
                "test_items": 1000,
                "precision": "bfloat16",
            },
        ),
    },
    run=run,
)


def micro_folders() -> Iterator[Path]:
    """Folders of the base models trained on this machine, the largest scale first.

    Raises:
        LabError: the working directory is not inside a lab book, or weights are not those that the
            run kept.
    """
    project = Project.find()
    for scale in reversed(SCALES):
        made = project.fresh(scale, EXPERIMENT.name)
        folder = EXPERIMENT.budgets[scale].kept(made / KEPT, seed=0)
        if folder.is_dir():
            require_kept(made)
            yield folder
