"""Do the findings on `micro` hold for a real pretrained model?

SmolLM2 has 135 million parameters and read two trillion tokens before. It learns the made-up facts
of the rank study, by a LoRA adapter, at five learning rates.
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


def run(trial: Trial) -> Outcome:
    from llmlab.finetune.model.catalog import n_parameters
    from llmlab.finetune.model.lora import LoraSpec
    from llmlab.finetune.study.pretrained import opened, teach
    from llmlab.finetune.tasks.skills import new_facts
    from llmlab.gpt.training import TrainConfig

    settings = trial.settings
    with opened(settings["base"]) as base:
        parameters = n_parameters(base)
        taught = teach(
            base,
            new_facts(settings["facts"]),
            LoraSpec(rank=8, alpha=16),
            TrainConfig(trial.condition["learning_rate"], settings["steps"], log_every=1),
            batch_size=settings["batch_size"],
            seed=trial.seed,
            text_NT=(settings["text_rows"], settings["text_width"]),
        )
    curves = {curve.name: taught.history.curve(curve.name) for curve in EXPERIMENT.curves}
    if taught.history.diverged_at is not None:
        return EXPERIMENT.diverged(curves=curves, tokens=taught.history.tokens)
    return Outcome(
        metrics={
            "accuracy": taught.answers.accuracy,
            "answer_loss": taught.answers.loss,
            "forgetting": taught.forgetting,
            "parameters": parameters,
        },
        curves=curves,
        tokens=taught.history.tokens,
    )


RATES = (1e-5, 2e-4, 1e-3, 5e-3, 2e-2)

EXPERIMENT = Experiment(
    name="real_model",
    title="A real pretrained model",
    question="Q-REAL",
    summary="Teaches made-up facts to SmolLM2-135M with LoRA, at five learning rates.",
    subject=Subject("SmolLM2-135M with LoRA of rank 8", "random facts, beside ordinary text"),
    axes=(Axis("learning_rate", "Peak of the schedule."),),
    metrics=(
        Metric("accuracy", "Exact answers on the facts taught.", "share", "higher", tolerance=0.2),
        Metric(
            "answer_loss", "Loss on the answers at the end.", "nats/token", "lower", tolerance=0.3
        ),
        Metric(
            "forgetting",
            "Loss on ordinary text after minus before.",
            "nats/token",
            "lower",
            tolerance=0.3,
        ),
        Metric("parameters", "Parameters, the shared embedding counted once.", "parameters"),
    ),
    curves=(
        Metric("loss", "Loss of one batch.", "nats/token", "lower"),
        Metric("gradient_norm", "Norm of the gradient before clipping.", "nats/token"),
    ),
    budgets={
        "smoke": Budget(
            {"learning_rate": (1e-3, 5e-3)},
            seeds=2,
            settings={
                "base": "untrained",
                "facts": 8,
                "steps": 4,
                "batch_size": 4,
                "text_rows": 2,
                "text_width": 32,
            },
        ),
        "laptop": Budget(
            {"learning_rate": RATES},
            seeds=10,
            settings={
                "base": "smollm2",
                "facts": 16,
                "steps": 24,
                "batch_size": 8,
                "text_rows": 4,
                "text_width": 64,
            },
        ),
        "gpu": Budget(
            {"learning_rate": RATES},
            seeds=10,
            settings={
                "base": "smollm2",
                "facts": 256,
                "steps": 300,
                "batch_size": 32,
                "text_rows": 32,
                "text_width": 256,
            },
        ),
    },
    selection_metric="answer_loss",
    run=run,
)
