"""A GPT from scratch on two texts: the loss against tokens and seconds, and what it writes."""

from typing import TYPE_CHECKING

from llmlab.gpt.study.measures import Observer, pretraining_sweep
from llmlab.method.declare.experiment import Axis, Budget, Metric, Subject, Trial

if TYPE_CHECKING:
    from llmlab.gpt.pretraining import Event, Pretraining
    from llmlab.gpt.study.measures import Curves, Log, Views
    from llmlab.gpt.study.trials import Study
    from llmlab.gpt.text.encoded_corpus import EncodedCorpus


def describe(trial: Trial) -> "Study":
    from dataclasses import replace

    from llmlab.gpt.configs import preset
    from llmlab.gpt.pretraining import PretrainingRecipe
    from llmlab.gpt.study.trials import Study
    from llmlab.gpt.text.encoded_corpus import byte_pairs, each_character, named_corpus, prepare
    from llmlab.gpt.training import TrainConfig

    settings = trial.settings
    shape = preset(trial.condition["model"]).shape
    corpus = named_corpus(trial.condition["corpus"], settings["corpus_bytes"])
    # published runs on Shakespeare predict characters
    by_character = trial.condition["corpus"] == "tinyshakespeare"
    encoded = prepare(corpus, each_character if by_character else byte_pairs(shape.vocab_size))
    recipe = PretrainingRecipe(
        shape=replace(shape, vocab_size=encoded.tokenizer.vocab_size, context=settings["context"]),
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
    return Study(recipe, encoded, Checkpoints)


class Checkpoints(Observer):
    """What the model of the first seed writes and attends to, at every validation."""

    def __init__(self, run: "Pretraining", encoded: "EncodedCorpus", log: "Log") -> None:
        from llmlab.gpt.inside.inspection_views import CheckpointBrowser

        super().__init__(run, encoded, log)
        self.browser = CheckpointBrowser(run.model, encoded.tokenizer)

    def see(self, event: "Event") -> None:
        from llmlab.gpt.pretraining import Validation

        if isinstance(event, Validation) and self.is_shown:
            self.browser.look(event.step)

    def curves(self) -> "Curves":
        return {"seconds": self.log.times}

    def views(self) -> "Views":
        return {"checkpoints": self.browser.view(self.log.curves)} if self.is_shown else {}


EXPERIMENT = pretraining_sweep(
    describe,
    name="pretraining",
    title="A GPT from scratch",
    question="Q-PRETRAIN",
    summary="Trains a GPT on Shakespeare's plays and on Python's source, and watches it learn.",
    subject=Subject("a small GPT", "tiny Shakespeare and source text of Python's standard library"),
    axes=(
        Axis("corpus", "Text to train on; its end is for validation."),
        Axis("model", "Configuration: its width, layers and heads."),
    ),
    curves=(Metric("seconds", "Training time so far, without validation.", "s"),),
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
)
