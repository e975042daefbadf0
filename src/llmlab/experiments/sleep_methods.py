"""Which night makes a better coder? LoRA on a day's episodes, chosen and merged in many ways."""

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Trial
from llmlab.sleep.study.measures import CODER_WITH_LORA, EXAM_METRICS, share_of

METHODS = (
    "naive",
    "targeted",
    "replay",
    "self",
    "mean",
    "mean-factors",
    "mean-factors-one-start",
    "ties",
    "dare",
    "share-averaged",
    "share-coefficients",
    "osf",
    "single-task",
    "majority",
)


def run(trial: Trial) -> Outcome:
    from llmlab.sleep.study.exams import base_day, base_exam, beside, exam_koans, open_base
    from llmlab.sleep.study.mornings import examined_after
    from llmlab.sleep.study.skills import skill_night

    settings = trial.settings
    folder = trial.needs["sleep_base"]
    coder = open_base(folder)
    exam = exam_koans(coder.language, settings["exam_koans"])
    day = base_day(folder, settings["day_koans"], trial.seed, settings["temperature"])
    night = skill_night(settings, trial.seed)
    after = examined_after(coder, day, trial.condition["method"], night, exam)
    return Outcome(
        metrics={
            **beside(base_exam(folder, len(exam)), after),
            "day_rate": sum(episode.is_green for episode in day) / len(day),
        }
    )


EXPERIMENT = Experiment(
    name="sleep_methods",
    title="Nights compared",
    question="Q-SLEEP",
    summary=(
        "Trains the small coder on a day's episodes by every method of the night, and tests it "
        "on templates that were never trained on."
    ),
    subject=CODER_WITH_LORA,
    axes=(Axis("method", "What is learned from the day, and how it is merged."),),
    metrics=(
        *EXAM_METRICS,
        share_of("day_rate", "Koans of the day that the base turned green."),
    ),
    needs=("sleep_base",),
    budgets={
        "smoke": Budget(
            conditions={
                "method": (
                    "naive",
                    "targeted",
                    "replay",
                    "mean",
                    "mean-factors",
                    "share-coefficients",
                    "osf",
                    "single-task",
                    "majority",
                )
            },
            seeds=1,
            settings={
                "day_koans": 96,
                "exam_koans": 120,
                "temperature": 0.3,
                "steps": 12,
                "learning_rate": 2e-3,
                "rank": 4,
            },
        ),
        "laptop": Budget(
            conditions={"method": METHODS},
            seeds=10,
            settings={
                "day_koans": 240,
                "exam_koans": 1000,
                "temperature": 0.3,
                "steps": 120,
                "learning_rate": 2e-3,
                "rank": 8,
            },
        ),
        "gpu": Budget(
            conditions={"method": METHODS},
            seeds=10,
            settings={
                "day_koans": 1200,
                "exam_koans": 2400,
                "temperature": 0.3,
                "steps": 300,
                "learning_rate": 1e-3,
                "rank": 8,
            },
        ),
    },
    run=run,
)
