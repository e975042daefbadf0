"""Heads that continue what came before: when do they appear, and how many layers do they take?"""

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
    from llmlab.gpt.inspection import (
        activation_statistics,
        activations_view,
        attention_view,
        copy_gain,
        head_scores,
        logit_lens_view,
    )
    from llmlab.gpt.material import byte_pairs, named_corpus, prepare
    from llmlab.gpt.model import GPTConfig
    from llmlab.gpt.pretraining import Pretraining, Recipe, Validation
    from llmlab.gpt.training import TrainConfig

    settings = trial.settings
    material = prepare(
        named_corpus("stdlib", settings["corpus_bytes"]), byte_pairs(settings["vocab_size"])
    )
    recipe = Recipe(
        shape=GPTConfig(
            vocab_size=material.tokenizer.vocab_size,
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
    pretraining = Pretraining(recipe, material.tokens)
    model, unseen = pretraining.model, pretraining.validation
    log = Log(every=settings["steps"] // 50)
    heads = {name: [] for name in ("induction", "previous_token", "copy_gain")}
    activations = {}
    for event in log.watch(pretraining):
        if isinstance(event, Validation):
            scores = {name: score.max().item() for name, score in head_scores(model).items()}
            for name, score in {**scores, "copy_gain": copy_gain(model, unseen)}.items():
                heads[name].append((event.step, score))
            ids = unseen.ids[: recipe.shape.context].astype("int64")
            activations[event.step] = activation_statistics(model, as_batch(ids))
    views = {
        "attention": attention_view(
            model, material.tokenizer, TEXTS, recipe.train.steps, head_scores(model)
        ),
        "logit lens": logit_lens_view(model, material.tokenizer, TEXTS),
        "activations": activations_view(activations),
    }
    return Outcome(
        metrics={
            **log.metrics(model.n_parameters()),
            **{name: points[-1][1] for name, points in heads.items()},
        },
        curves={**log.curves, **heads},
        views=views if trial.seed == 0 else {},
        status=log.status,
        tokens=log.tokens,
    )


TEXTS = (
    "def add(first, second):\n    return first + second\n\ndef add(first, second):\n    return",
    "self.name = name\n        self.value = value\n        self.name",
)
"""What the reader sees the heads look at: code that begins to repeat itself."""


def as_batch(ids):
    """One sequence of ids as the model takes it, on its device."""
    import torch

    from llmlab.gpt.training import best_device

    return torch.from_numpy(ids)[None].to(best_device())


HEADS = (
    Metric(
        "induction",
        "Attention of the best head to the token after the last occurrence of the present one, on "
        "random tokens that are repeated.",
        "share",
        "higher",
        tolerance=0.1,
    ),
    Metric(
        "previous_token",
        "Attention of the best head to the token before, on the same tokens.",
        "share",
        "higher",
        tolerance=0.1,
    ),
    Metric(
        "copy_gain",
        "Loss on unseen text minus the loss on the same text when it comes a second time.",
        "nats/token",
        "higher",
        tolerance=0.2,
    ),
)

EXPERIMENT = Experiment(
    name="induction",
    title="Induction heads",
    question="Q-INDUCTION",
    summary="Trains GPTs of one and two layers on code and watches what their heads look at.",
    subject=Subject("small GPTs of one and two layers", "source text of Python's standard library"),
    axes=(Axis("n_layers", "Blocks of the model.", "layers"),),
    metrics=(*METRICS, *HEADS),
    curves=(*CURVES, *HEADS),
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
            seeds=5,
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
    run=run,
)
