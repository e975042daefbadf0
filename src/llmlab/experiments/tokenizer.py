"""Vocabularies of different size on one text: which predicts it with the fewest bits per byte?"""

from typing import TYPE_CHECKING

from llmlab.gpt.study.measures import Observer, pretraining_sweep
from llmlab.method.declare.experiment import Axis, Budget, Metric, Subject, Trial

if TYPE_CHECKING:
    from llmlab.gpt.study.trials import Study


def describe(trial: Trial) -> "Study":
    from llmlab.gpt.model import GPTConfig
    from llmlab.gpt.pretraining import PretrainingRecipe
    from llmlab.gpt.study.trials import Study
    from llmlab.gpt.text.encoded_corpus import byte_pairs, encode, named_corpus
    from llmlab.gpt.training import TrainConfig

    settings = trial.settings
    corpus = named_corpus("stdlib", settings["corpus_bytes"])
    read = corpus.head(round(0.9 * corpus.bytes))  # merges are learned from training text, too
    tokenizer = byte_pairs(trial.condition["vocab_size"])(read)
    encoded = encode(corpus, tokenizer)
    tokens_per_byte = len(encoded.tokens.ids) / corpus.bytes
    tokens_per_step = settings["bytes_per_step"] * tokens_per_byte
    recipe = PretrainingRecipe(
        shape=GPTConfig(
            vocab_size=tokenizer.vocab_size,
            context=settings["context"],
            d_model=settings["d_model"],
            n_layers=4,
            n_heads=4,
        ),
        train=TrainConfig(settings["learning_rate"], settings["steps"], weight_decay=0.1),
        batch_size=round(tokens_per_step / settings["context"]),
        seed=trial.seed,
        validate_every=settings["steps"] // 10,
        validation_tokens=round(settings["validation_bytes"] * tokens_per_byte),
    )
    return Study(recipe, encoded, BytesPerToken)


class BytesPerToken(Observer):
    def metrics(self) -> dict[str, float]:
        return {"bytes_per_token": self.encoded.corpus.bytes / len(self.encoded.tokens.ids)}


EXPERIMENT = pretraining_sweep(
    describe,
    name="tokenizer",
    title="The size of the vocabulary",
    question="Q-TOKENIZER",
    summary="Trains one model on the same bytes, cut into tokens by small and large vocabularies.",
    subject=Subject("a small GPT", "source text of Python's standard library"),
    axes=(Axis("vocab_size", "Ids of the byte-level BPE; 257 are the bytes alone.", "tokens"),),
    metrics=(
        Metric("bytes_per_token", "Mean length of a token in text.", "bytes/token", tolerance=0.2),
    ),
    budgets={
        "smoke": Budget(
            conditions={"vocab_size": (257, 512)},
            seeds=1,
            settings={
                "corpus_bytes": 200_000,
                "validation_bytes": 10_000,
                "bytes_per_step": 1024,
                "context": 32,
                "d_model": 32,
                "learning_rate": 3e-3,
                "steps": 50,
            },
        ),
        "laptop": Budget(
            conditions={"vocab_size": (257, 512, 1024, 4096)},
            seeds=10,
            settings={
                "corpus_bytes": 2_000_000,
                "validation_bytes": 60_000,
                "bytes_per_step": 3072,
                "context": 64,
                "d_model": 128,
                "learning_rate": 2e-3,
                "steps": 150,
            },
        ),
        "gpu": Budget(
            conditions={"vocab_size": (257, 512, 1024, 2048, 4096, 8192)},
            seeds=5,
            settings={
                "corpus_bytes": 20_000_000,
                "validation_bytes": 200_000,
                "bytes_per_step": 65_536,
                "context": 256,
                "d_model": 256,
                "learning_rate": 1e-3,
                "steps": 1000,
            },
        ),
    },
)
