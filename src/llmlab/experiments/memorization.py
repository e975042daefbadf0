"""A small GPT reads one text over and over: when does it memorise instead of learn?"""

import math

from llmlab.gpt.measures import CURVES, METRICS, Log
from llmlab.method.declare.experiment import (
    Axis,
    Budget,
    Experiment,
    Metric,
    Outcome,
    Subject,
    Trial,
)


def run(trial: Trial) -> Outcome:
    from llmlab.gpt.material import byte_pairs, named_corpus, prepare
    from llmlab.gpt.model import GPTConfig
    from llmlab.gpt.pretraining import Pretraining, Recipe
    from llmlab.gpt.training import TrainConfig

    settings = trial.settings
    corpus = named_corpus(trial.condition["corpus"], settings["corpus_bytes"])
    material = prepare(corpus, byte_pairs(settings["vocab_size"]))
    recipe = Recipe(
        shape=GPTConfig(
            vocab_size=material.tokenizer.vocab_size,
            context=settings["context"],
            d_model=settings["d_model"],
            n_layers=settings["n_layers"],
            n_heads=4,
            dropout=0.1,
        ),
        train=TrainConfig(settings["learning_rate"], settings["steps"], weight_decay=0.1),
        batch_size=settings["batch_size"],
        seed=trial.seed,
        validate_every=settings["steps"] // 20,
    )
    pretraining = Pretraining(recipe, material.tokens)
    log = Log(every=settings["steps"] // 50).through(pretraining)
    return Outcome(
        metrics={
            **log.metrics(pretraining.model.n_parameters()),
            **parting(log, pretraining),
            "epochs": recipe.train.steps / pretraining.batches.steps_per_epoch,
        },
        curves=log.curves,
        status=log.status,
        tokens=log.tokens,
    )


def parting(log: Log, pretraining) -> dict[str, float]:
    """How the loss on the text that was read, and on the text that was not, come apart."""
    if log.diverged:
        return dict.fromkeys(("train_loss", "gap", "rebound", "best_step"), math.nan)
    best, last = min(log.validations, key=lambda seen: seen.loss), log.validations[-1]
    train_loss = pretraining.training_loss()
    return {
        "train_loss": train_loss,
        "gap": last.loss - train_loss,
        "rebound": last.loss - best.loss,
        "best_step": best.step,
    }


EXPERIMENT = Experiment(
    name="memorization",
    title="Memorising one story",
    question="Q-MEMORIZE",
    summary="Trains a small GPT on one short story again and again, and on a far longer text.",
    subject=Subject("a small GPT", "The Verdict and tiny Shakespeare"),
    axes=(Axis("corpus", "Text that is trained on and, at its end, validated on."),),
    metrics=(
        *METRICS,
        Metric(
            "train_loss",
            "Loss at the end on the text that was trained on, measured as the validation loss is.",
            "nats/token",
            "lower",
            tolerance=0.1,
        ),
        Metric("gap", "Validation loss minus training loss.", "nats/token", "lower", tolerance=0.2),
        Metric(
            "rebound",
            "Validation loss at the end minus its minimum.",
            "nats/token",
            "lower",
            tolerance=0.1,
        ),
        Metric("best_step", "Step with the lowest validation loss.", "steps", tolerance=100),
        Metric("epochs", "Times that the text was read.", "epochs", tolerance=1),
    ),
    curves=CURVES,
    budgets={
        "smoke": Budget(
            conditions={"corpus": ("stdlib",)},
            seeds=1,
            settings={
                "corpus_bytes": 20_000,
                "vocab_size": 300,
                "context": 32,
                "d_model": 32,
                "n_layers": 2,
                "batch_size": 8,
                "learning_rate": 3e-3,
                "steps": 100,
            },
        ),
        "laptop": Budget(
            conditions={"corpus": ("verdict", "tinyshakespeare")},
            seeds=5,
            settings={
                "corpus_bytes": 1_200_000,
                "vocab_size": 512,
                "context": 64,
                "d_model": 128,
                "n_layers": 4,
                "batch_size": 8,
                "learning_rate": 2e-3,
                "steps": 700,
            },
        ),
        "gpu": Budget(
            conditions={"corpus": ("verdict", "tinyshakespeare")},
            seeds=5,
            settings={
                "corpus_bytes": 1_200_000,
                "vocab_size": 512,
                "context": 256,
                "d_model": 384,
                "n_layers": 5,
                "batch_size": 8,
                "learning_rate": 1e-3,
                "steps": 220,
            },
        ),
    },
    run=run,
)
