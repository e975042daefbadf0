"""Heads that continue what came before: when do they appear, and how many layers do they need?"""

from typing import TYPE_CHECKING

from llmlab.gpt.study.measures import Observer, pretraining_sweep
from llmlab.method.declare.experiment import Axis, Budget, Metric, Subject, Trial

if TYPE_CHECKING:
    from llmlab.gpt.pretraining import Event, Pretraining
    from llmlab.gpt.study.measures import Curves, Log, Views
    from llmlab.gpt.study.trials import Study
    from llmlab.gpt.text.encoded_corpus import EncodedCorpus


def describe(trial: Trial) -> "Study":
    from llmlab.gpt.model import GPTConfig
    from llmlab.gpt.pretraining import PretrainingRecipe
    from llmlab.gpt.study.trials import Study
    from llmlab.gpt.text.encoded_corpus import byte_pairs, named_corpus, prepare
    from llmlab.gpt.training import TrainConfig

    settings = trial.settings
    encoded = prepare(
        named_corpus("stdlib", settings["corpus_bytes"]), byte_pairs(settings["vocab_size"])
    )
    recipe = PretrainingRecipe(
        shape=GPTConfig(
            vocab_size=encoded.tokenizer.vocab_size,
            context=settings["context"],
            d_model=settings["d_model"],
            n_layers=trial.condition["n_layers"],
            n_heads=4,
        ),
        train=TrainConfig(settings["learning_rate"], settings["steps"], weight_decay=0.1),
        batch_size=settings["batch_size"],
        seed=trial.seed,
        validate_every=settings["steps"] // 15,
    )
    return Study(recipe, encoded, Heads)


class Heads(Observer):
    """What the heads attend to, at every validation."""

    def __init__(self, run: "Pretraining", encoded: "EncodedCorpus", log: "Log") -> None:
        super().__init__(run, encoded, log)
        self.heads = {head.name: [] for head in HEADS}
        self.activations = {}

    def see(self, event: "Event") -> None:
        from llmlab.gpt.inside.inspection import activation_statistics, copy_gain, head_scores
        from llmlab.gpt.pretraining import Validation

        if isinstance(event, Validation):
            model, unseen = self.run.model, self.run.validation
            scores = {name: score.max().item() for name, score in head_scores(model).items()}
            for name, score in {**scores, "copy_gain": copy_gain(model, unseen)}.items():
                self.heads[name].append((event.step, score))
            ids = unseen.ids[: self.run.recipe.shape.context].astype("int64")
            self.activations[event.step] = activation_statistics(model, as_batch(ids))

    def metrics(self) -> dict[str, float]:
        return {name: points[-1][1] for name, points in self.heads.items()}

    def curves(self) -> "Curves":
        return self.heads

    def views(self) -> "Views":
        from llmlab.gpt.inside.inspection import head_scores
        from llmlab.gpt.inside.inspection_views import (
            activations_view,
            attention_view,
            logit_lens_view,
        )

        if not self.is_shown:
            return {}
        model, tokenizer, scores = (
            self.run.model,
            self.encoded.tokenizer,
            head_scores(self.run.model),
        )
        return {
            "attention": attention_view(model, tokenizer, TEXTS, self.log.steps, scores),
            "logit lens": logit_lens_view(model, tokenizer, TEXTS),
            "activations": activations_view(self.activations),
        }


TEXTS = (
    "def add(first, second):\n    return first + second\n\ndef add(first, second):\n    return",
    "self.name = name\n        self.value = value\n        self.name",
)
"""Texts that show what the heads attend to: code that begins to repeat itself."""


def as_batch(ids):
    """One sequence of ids as the model takes it, on its device."""
    import torch

    from llmlab.gpt.training import best_device

    return torch.from_numpy(ids)[None].to(best_device())


HEADS = (
    Metric(
        "induction",
        "Attention of the best head to the token after the previous occurrence of the current one, "
        "on repeated random tokens.",
        "share",
        "higher",
        tolerance=0.1,
    ),
    Metric(
        "previous_token",
        "Attention of the best head to the previous token, on the same tokens.",
        "share",
        "higher",
        tolerance=0.1,
    ),
    Metric(
        "copy_gain",
        "Loss on unseen text minus the loss on its repetition.",
        "nats/token",
        "higher",
        tolerance=0.2,
    ),
)

EXPERIMENT = pretraining_sweep(
    describe,
    name="induction",
    title="Induction heads",
    question="Q-INDUCTION",
    summary="Trains GPTs of one and two layers on code and measures what their heads attend to.",
    subject=Subject("small GPTs of one and two layers", "source text of Python's standard library"),
    axes=(Axis("n_layers", "Blocks of the model.", "layers"),),
    metrics=HEADS,
    curves=HEADS,
    budgets={
        "smoke": Budget(
            conditions={"n_layers": (1, 2)},
            seeds=1,
            settings={
                "corpus_bytes": 200_000,
                "vocab_size": 300,
                "context": 32,
                "d_model": 32,
                "batch_size": 8,
                "learning_rate": 3e-3,
                "steps": 60,
            },
        ),
        "laptop": Budget(
            conditions={"n_layers": (1, 2)},
            seeds=10,
            settings={
                "corpus_bytes": 3_000_000,
                "vocab_size": 512,
                "context": 128,
                "d_model": 128,
                "batch_size": 16,
                "learning_rate": 3e-3,
                "steps": 1000,
            },
        ),
        "gpu": Budget(
            conditions={"n_layers": (1, 2, 4)},
            seeds=5,
            settings={
                "corpus_bytes": 20_000_000,
                "vocab_size": 512,
                "context": 256,
                "d_model": 256,
                "batch_size": 64,
                "learning_rate": 1e-3,
                "steps": 3000,
            },
        ),
    },
)
