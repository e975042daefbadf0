"""One part of the optimizer is taken away or changed at a time: what does each of them buy?"""

from llmlab.gpt.measures import CURVES, METRICS, Log
from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Subject, Trial


def run(trial: Trial) -> Outcome:
    from dataclasses import replace

    from llmlab.gpt.material import byte_pairs, named_corpus, prepare
    from llmlab.gpt.model import GPTConfig
    from llmlab.gpt.pretraining import Pretraining, Recipe
    from llmlab.gpt.training import TrainConfig

    settings = trial.settings
    whole = TrainConfig(
        settings["learning_rate"],
        settings["steps"],
        warmup_share=0.05,
        final_share=0.1,
        weight_decay=0.1,
        betas=(0.9, 0.95),
        clip=1.0,
    )
    change = {
        "none": {},
        "no warm-up": {"warmup_share": 0.0},
        "no rate decay": {"final_share": 1.0},
        "no weight decay": {"weight_decay": 0.0},
        "beta2 0.999": {"betas": (0.9, 0.999)},
        "no clipping": {"clip": float("inf")},
    }[trial.condition["change"]]
    material = prepare(
        named_corpus("stdlib", settings["corpus_bytes"]), byte_pairs(settings["vocab_size"])
    )
    recipe = Recipe(
        shape=GPTConfig(
            vocab_size=material.tokenizer.vocab_size,
            context=settings["context"],
            d_model=settings["d_model"],
            n_layers=4,
            n_heads=4,
        ),
        train=replace(whole, **change),
        batch_size=settings["batch_size"],
        seed=trial.seed,
        validate_every=settings["steps"] // 10,
    )
    pretraining = Pretraining(recipe, material.tokens)
    log = Log(every=settings["steps"] // 50).through(pretraining)
    return Outcome(
        metrics=log.metrics(pretraining.model.n_parameters()),
        curves=log.curves,
        status=log.status,
        tokens=log.tokens,
    )


CHANGES = (
    "none",
    "no warm-up",
    "no rate decay",
    "no weight decay",
    "beta2 0.999",
    "no clipping",
)

EXPERIMENT = Experiment(
    name="optimizer",
    title="What the optimizer's parts buy",
    question="Q-OPTIMIZER",
    summary="Trains one small GPT with warm-up, decay, beta2 and clipping changed one at a time.",
    subject=Subject("a small GPT", "source text of Python's standard library"),
    axes=(
        Axis("change", "What differs from AdamW with warm-up, cosine, weight decay and clipping."),
    ),
    metrics=METRICS,
    curves=CURVES,
    budgets={
        "smoke": Budget(
            conditions={"change": ("none", "no warm-up", "no clipping")},
            seeds=1,
            settings={
                "corpus_bytes": 200_000,
                "vocab_size": 300,
                "context": 32,
                "d_model": 32,
                "batch_size": 8,
                "learning_rate": 4e-3,
                "steps": 50,
            },
        ),
        "laptop": Budget(
            conditions={"change": CHANGES},
            seeds=5,
            settings={
                "corpus_bytes": 2_000_000,
                "vocab_size": 1024,
                "context": 64,
                "d_model": 128,
                "batch_size": 16,
                "learning_rate": 4e-3,
                "steps": 250,
            },
        ),
        "gpu": Budget(
            conditions={"change": CHANGES},
            seeds=5,
            settings={
                "corpus_bytes": 20_000_000,
                "vocab_size": 4096,
                "context": 256,
                "d_model": 384,
                "batch_size": 32,
                "learning_rate": 2e-3,
                "steps": 1000,
            },
        ),
    },
    run=run,
)
