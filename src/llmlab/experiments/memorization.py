"""A small GPT reads one text over and over: when does it memorise instead of learn?"""

import math
from typing import TYPE_CHECKING

from llmlab.gpt.study.measures import Observer, pretraining_sweep
from llmlab.method.declare.experiment import Axis, Budget, Metric, Subject, Trial

if TYPE_CHECKING:
    from llmlab.gpt.study.trials import Study


def describe(trial: Trial) -> "Study":
    from llmlab.gpt.model import GPTConfig
    from llmlab.gpt.pretraining import PretrainingRecipe
    from llmlab.gpt.study.trials import Study
    from llmlab.gpt.text.encoded_corpus import byte_pairs, named_corpus, prepare
    from llmlab.gpt.training import TrainConfig

    settings = trial.settings
    corpus = named_corpus(trial.condition["corpus"], settings["corpus_bytes"])
    encoded = prepare(corpus, byte_pairs(settings["vocab_size"]))
    recipe = PretrainingRecipe(
        shape=GPTConfig(
            vocab_size=encoded.tokenizer.vocab_size,
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
    return Study(recipe, encoded, Memorised)


class Memorised(Observer):
    """How training loss and validation loss come apart."""

    def metrics(self) -> dict[str, float]:
        return {**self.parting(), "epochs": self.log.steps / self.run.batches.steps_per_epoch}

    def parting(self) -> dict[str, float]:
        if self.log.diverged:
            return dict.fromkeys(("train_loss", "gap", "rebound", "best_step"), math.nan)
        seen = self.log.validations
        best, last = min(seen, key=lambda each: each.loss), seen[-1]
        train_loss = self.run.training_loss()
        return {
            "train_loss": train_loss,
            "gap": last.loss - train_loss,
            "rebound": last.loss - best.loss,
            "best_step": best.step,
        }


EXPERIMENT = pretraining_sweep(
    describe,
    name="memorization",
    title="Memorising one story",
    question="Q-MEMORIZE",
    summary="Trains a small GPT on one short story again and again, and on a far longer text.",
    subject=Subject("a small GPT", "The Verdict and tiny Shakespeare"),
    axes=(Axis("corpus", "Text to train on; its end is for validation."),),
    metrics=(
        Metric(
            "train_loss",
            "Loss on the training text at the end, measured like the validation loss.",
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
        Metric("epochs", "Passes over the training text.", "epochs", tolerance=1),
    ),
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
            seeds=10,
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
)
