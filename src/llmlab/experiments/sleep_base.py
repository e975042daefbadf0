"""The coder that every night starts from, trained from scratch on generated repairs.

Three families of bugs are held out whole, so that there is something left to learn.
"""

from llmlab.method.declare.experiment import (
    Axis,
    Budget,
    Experiment,
    Metric,
    Outcome,
    Subject,
    Trial,
)
from llmlab.sleep.study.measures import KOANS


def run(trial: Trial) -> Outcome:
    from llmlab.gpt.model import GPTConfig
    from llmlab.gpt.training import History, TrainConfig, Trainer
    from llmlab.sleep.coder.coder import new_coder, save_coder
    from llmlab.sleep.coder.lessons import lesson_batches
    from llmlab.sleep.coder.school import koans_of, lessons_of, taught
    from llmlab.sleep.coder.tokens import code_tokens
    from llmlab.sleep.study.exams import exam_koans, examined

    settings = trial.settings
    language = settings["language"]
    tokens = code_tokens(language)
    width = trial.condition["d_model"]
    shape = GPTConfig(len(tokens.names), 320, width, settings["n_layers"], settings["n_heads"])
    coder = new_coder(language, tokens, shape, trial.seed)
    lessons = lessons_of(koans_of(language, "train", settings["koans"], 0, taught(language)))
    config = TrainConfig(
        learning_rate=settings["learning_rate"],
        steps=settings["steps"],
        weight_decay=0.1,
        log_every=max(1, settings["steps"] // 50),
    )
    batches = lesson_batches(lessons, tokens, settings["batch_size"], trial.seed)
    history = History.of(Trainer(coder.model, config).points(batches), config)
    save_coder(coder, trial.keep)
    exam = examined(coder, exam_koans(language, settings["exam_koans"]))
    return Outcome(
        metrics={
            "pass_rate": exam.rate,
            "taught_rate": exam.rate_of(new=False),
            "new_rate": exam.rate_of(new=True),
            "train_loss": history.points[-1].loss,
            "parameters": coder.model.n_parameters(),
        },
        curves={"loss": history.curve("loss")},
        tokens=history.tokens,
    )


EXPERIMENT = Experiment(
    name="sleep_base",
    title="A small coder",
    question="Q-CODER",
    summary="Trains the small coder that every night starts from.",
    subject=Subject("a GPT for small Python programs", KOANS),
    axes=(Axis("d_model", "Width of the residual stream.", "dimensions"),),
    metrics=(
        Metric(
            "pass_rate",
            "Koans of unseen templates that one answer turns green.",
            "share",
            "higher",
            tolerance=0.1,
        ),
        Metric(
            "taught_rate",
            "The same, for the families that it was taught.",
            "share",
            "higher",
            tolerance=0.1,
        ),
        Metric(
            "new_rate", "The same, for the families held out.", "share", "higher", tolerance=0.1
        ),
        Metric("train_loss", "Loss of the last batch.", "nats/token", "lower", tolerance=0.1),
        Metric("parameters", "Parameters, the shared embedding counted once.", "parameters"),
    ),
    curves=(Metric("loss", "Loss of one batch.", "nats/token", "lower"),),
    budgets={
        "smoke": Budget(
            conditions={"d_model": (48,)},
            seeds=1,
            settings={
                "language": "python",
                "koans": 2000,
                "n_layers": 2,
                "n_heads": 4,
                "steps": 1000,
                "batch_size": 8,
                "learning_rate": 8e-3,
                "exam_koans": 120,
            },
        ),
        "laptop": Budget(
            conditions={"d_model": (96,)},
            seeds=1,
            settings={
                "language": "python",
                "koans": 32000,
                "n_layers": 3,
                "n_heads": 4,
                "steps": 8000,
                "batch_size": 16,
                "learning_rate": 4e-3,
                "exam_koans": 1200,
            },
        ),
        "gpu": Budget(
            conditions={"d_model": (320,)},
            seeds=1,
            settings={
                "language": "python",
                "koans": 32000,
                "n_layers": 8,
                "n_heads": 8,
                "steps": 6000,
                "batch_size": 128,
                "learning_rate": 1e-3,
                "exam_koans": 2400,
            },
        ),
    },
    run=run,
)
