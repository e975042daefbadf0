"""A GPT from scratch on two texts: the loss against tokens and seconds, and what it writes."""

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
    from dataclasses import replace

    from llmlab.gpt.configs import preset
    from llmlab.gpt.inspection import CheckpointBrowser
    from llmlab.gpt.material import byte_pairs, each_character, named_corpus, prepare
    from llmlab.gpt.pretraining import Pretraining, Recipe, Validation
    from llmlab.gpt.training import TrainConfig

    settings = trial.settings
    shape = preset(trial.condition["model"]).shape
    corpus = named_corpus(trial.condition["corpus"], settings["corpus_bytes"])
    # published runs on Shakespeare predict characters
    by_character = trial.condition["corpus"] == "tinyshakespeare"
    material = prepare(corpus, each_character if by_character else byte_pairs(shape.vocab_size))
    recipe = Recipe(
        shape=replace(shape, vocab_size=material.tokenizer.vocab_size, context=settings["context"]),
        train=TrainConfig(
            settings["learning_rate"],
            settings["steps"],
            weight_decay=0.1,
            betas=(0.9, 0.99),
            precision=settings["precision"],
        ),
        batch_size=settings["batch_size"],
        seed=trial.seed,
        validate_every=settings["steps"] // 20,
    )
    pretraining = Pretraining(recipe, material.tokens)
    log = Log(every=settings["steps"] // 50)
    browser = CheckpointBrowser(pretraining.model, material.tokenizer)
    for event in log.watch(pretraining):
        if isinstance(event, Validation) and trial.seed == 0:
            browser.look(event.step)
    return Outcome(
        metrics=log.metrics(pretraining.model.n_parameters()),
        curves={**log.curves, "seconds": log.times},
        views={"checkpoints": browser.view(log.curves)} if trial.seed == 0 else {},
        status=log.status,
        tokens=log.tokens,
    )


EXPERIMENT = Experiment(
    name="pretraining",
    title="A GPT from scratch",
    question="Q-PRETRAIN",
    summary="Trains a GPT on Shakespeare's plays and on Python's source, and watches it learn.",
    subject=Subject("a small GPT", "tiny Shakespeare and source text of Python's standard library"),
    axes=(
        Axis("corpus", "Text that is trained on and, at its end, validated on."),
        Axis("model", "Configuration: its width, layers and heads."),
    ),
    metrics=METRICS,
    curves=(*CURVES, Metric("seconds", "Training time so far, validation apart.", "s")),
    budgets={
        "smoke": Budget(
            conditions={"corpus": ("stdlib",), "model": ("micro",)},
            seeds=1,
            settings={
                "corpus_bytes": 200_000,
                "context": 32,
                "batch_size": 8,
                "learning_rate": 2e-3,
                "steps": 60,
                "precision": "float32",
            },
        ),
        # nanoGPT's setting for a CPU: context 64, 12 sequences a step, 2000 steps
        "laptop": Budget(
            conditions={"corpus": ("tinyshakespeare", "stdlib"), "model": ("micro",)},
            seeds=5,
            settings={
                "corpus_bytes": 4_000_000,
                "context": 64,
                "batch_size": 12,
                "learning_rate": 1e-3,
                "steps": 2000,
                "precision": "float32",
            },
        ),
        "gpu": Budget(
            conditions={
                "corpus": ("tinyshakespeare", "stdlib"),
                "model": ("nano", "small", "medium"),
            },
            seeds=1,
            settings={
                "corpus_bytes": 20_000_000,
                "context": 256,
                "batch_size": 64,
                "learning_rate": 1e-3,
                "steps": 1000,
                "precision": "bfloat16",
            },
        ),
    },
    run=run,
)
