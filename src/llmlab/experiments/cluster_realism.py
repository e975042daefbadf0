"""Can a classifier tell a simulated training run from a real one?

The interventions are what generates the rival runs, and what the classifier sees. A seed is a group
of systems: their runs are held out, and the classifier learns from all others.
"""

from llmlab.cluster.realism.contenders import CONTENDERS
from llmlab.cluster.realism.two_sample import Contest, accuracy, groups
from llmlab.cluster.realism.views import VIEWS
from llmlab.method.declare.experiment import (
    Axis,
    Budget,
    Experiment,
    Metric,
    Outcome,
    Subject,
    Trial,
)

GROUPS = 10
JUDGES = ("numbers", "gaps", "text", "text, GPT")
"""What is seen; gradient boosting judges, except for the last."""


def run(trial: Trial) -> Outcome:
    from llmlab.cluster.realism.judges import boosting, sequence_model

    left_out, *others = _from(groups(GROUPS), trial.seed)
    learnt = [one for group in others for one in group]
    seen = trial.condition["seen"]
    judge = sequence_model(trial.settings["steps"]) if "GPT" in seen else boosting
    contender = trial.condition["contender"]
    repeats = 1 if "GPT" in seen else trial.settings["repeats"]
    if contender == "real runs":
        repeats *= 3  # half the runs against the other half
    contest = Contest(CONTENDERS[contender], VIEWS[seen.split(",")[0]], judge)
    found = accuracy(contest, left_out, learnt, repeats, trial.seed)
    return Outcome(metrics={"accuracy": found, "runs": float(len(left_out))})


def _from(items: list, first: int) -> list:
    return items[first:] + items[:first]


EXPERIMENT = Experiment(
    name="cluster_realism",
    title="Telling simulated runs from real ones",
    question="Q-SIM-REAL",
    summary="Asks classifiers which series of step times and losses come from published runs.",
    subject=Subject(
        "the book's simulator of training logs", "published logs of MLPerf and modded-nanoGPT"
    ),
    axes=(
        Axis("contender", "What generates the rivals of the real runs."),
        Axis("seen", "What it sees; the judge is gradient boosting, or a GPT where named."),
    ),
    metrics=(
        Metric(
            "accuracy",
            "Share of right calls on windows of held-out runs and of new rivals, mean over runs.",
            "share",
            tolerance=0.1,
        ),
        Metric("runs", "Published runs held out.", "1"),
    ),
    budgets={
        "smoke": Budget(
            {"contender": ("simulator", "fixed sleeps"), "seen": ("numbers", "text, GPT")},
            2,
            {"repeats": 1, "steps": 5},
        ),
        "laptop": Budget(
            {"contender": tuple(CONTENDERS), "seen": JUDGES},
            GROUPS,
            {"repeats": 2, "steps": 300},
        ),
        "gpu": Budget(
            {"contender": tuple(CONTENDERS), "seen": JUDGES},
            GROUPS,
            {"repeats": 10, "steps": 600},
        ),
    },
    run=run,
)
