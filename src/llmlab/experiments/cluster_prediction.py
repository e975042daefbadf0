"""How well does a simulator predict the step time of models it has not seen?

The intervention is the predictor. A seed is a model: all its runs are held out, whatever their
source, and the predictor learns from the runs of all others. So intervals are over models. The
budgets take all models with dense 16-bit runs: more seeds need newly published models.
"""

from llmlab.cluster.scoring.held_out import (
    comparable_runs,
    constant_mfu,
    dense_models,
    flops_and_bubble,
    simulator,
    test_on,
    uncalibrated,
)
from llmlab.cluster.scoring.score import errors
from llmlab.method.declare.experiment import (
    Axis,
    Budget,
    Experiment,
    Metric,
    Outcome,
    Subject,
    Trial,
)

PREDICTORS = ("simulator", "uncalibrated", "FLOPs and bubble", "constant MFU")


def run(trial: Trial) -> Outcome:
    every = trial.settings["every"]
    runs = [
        one
        for index, one in enumerate(comparable_runs())
        if index % every == 0 or one.is_dense_16bit
    ]
    model = dense_models(runs)[trial.seed]
    predictors = {
        "simulator": simulator(trial.settings["rounds"]),
        "uncalibrated": uncalibrated,
        "FLOPs and bubble": flops_and_bubble,
        "constant MFU": constant_mfu,
    }
    scored = test_on(model, runs, predictors[trial.condition["predictor"]])
    found = errors(scored)
    return Outcome(
        metrics={
            "mean_absolute_error": found.mean_absolute_error,
            "median_absolute_error": found.median_absolute_error,
            "bias": found.bias,
            "rows": float(found.rows),
        },
        curves={"error": [(one.run.row.line, one.error) for one in scored]},
    )


EXPERIMENT = Experiment(
    name="cluster_prediction",
    title="Predicting the step time of unseen models",
    question="Q-PREDICT",
    summary="Predicts published dense 16-bit runs of models that were left out of the calibration.",
    subject=Subject(
        "the book's simulator of dense models in 16 bits", "published runs of large models"
    ),
    axes=(Axis("predictor", "What predicts the step time."),),
    metrics=(
        Metric(
            "mean_absolute_error",
            "Mean over a model's runs of |predicted / observed - 1|.",
            "share",
            "lower",
            tolerance=0.02,
        ),
        Metric("median_absolute_error", "Median of the same.", "share", "lower", tolerance=0.02),
        Metric("bias", "Mean of predicted / observed - 1.", "share", tolerance=0.02),
        Metric("rows", "Runs of the model.", "1"),
    ),
    curves=(Metric("error", "Predicted / observed - 1, by line of the table of runs.", "share"),),
    budgets={
        "smoke": Budget({"predictor": PREDICTORS}, 2, {"rounds": 1, "every": 12}),
        "laptop": Budget({"predictor": PREDICTORS}, 12, {"rounds": 12, "every": 1}),
        "gpu": Budget({"predictor": PREDICTORS}, 12, {"rounds": 12, "every": 1}),
    },
    run=run,
)
