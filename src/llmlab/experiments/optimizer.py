"""Remove or change one part of the optimizer at a time: what does each part buy?"""

from typing import TYPE_CHECKING

from llmlab.gpt.study.measures import pretraining_sweep
from llmlab.method.declare.experiment import Axis, Budget, Subject, Trial

if TYPE_CHECKING:
    from llmlab.gpt.study.trials import Study


def describe(trial: Trial) -> "Study":
    from dataclasses import replace

    from llmlab.gpt.model import GPTConfig
    from llmlab.gpt.pretraining import PretrainingRecipe
    from llmlab.gpt.study.trials import Study
    from llmlab.gpt.text.encoded_corpus import byte_pairs, named_corpus, prepare
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
    encoded = prepare(
        named_corpus("stdlib", settings["corpus_bytes"]), byte_pairs(settings["vocab_size"])
    )
    recipe = PretrainingRecipe(
        shape=GPTConfig(
            vocab_size=encoded.tokenizer.vocab_size,
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
    return Study(recipe, encoded)


CHANGES = (
    "none",
    "no warm-up",
    "no rate decay",
    "no weight decay",
    "beta2 0.999",
    "no clipping",
)

EXPERIMENT = pretraining_sweep(
    describe,
    name="optimizer",
    title="What each part of the optimizer buys",
    question="Q-OPTIMIZER",
    summary="Trains one small GPT with warm-up, decay, beta2 and clipping changed one at a time.",
    subject=Subject("a small GPT", "source text of Python's standard library"),
    axes=(
        Axis("change", "What differs from AdamW with warm-up, cosine, weight decay and clipping."),
    ),
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
            seeds=10,
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
)
