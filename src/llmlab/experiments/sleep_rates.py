"""At which learning rate is a night worth most, and do nights differ once each has its own?"""

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Trial
from llmlab.sleep.study.measures import CODER_WITH_LORA, EXAM_METRICS, share_of

METHODS = ("naive", "targeted", "replay", "self")
RATES = (0.0, 6.25e-5, 1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2)


def run(trial: Trial) -> Outcome:
    from llmlab.sleep.night.catalog import spend_night
    from llmlab.sleep.study.exams import (
        base_day,
        base_exam,
        beside,
        exam_koans,
        examined,
        open_base,
        validation_koans,
    )
    from llmlab.sleep.study.skills import skill_night

    settings = trial.settings
    folder = trial.needs["sleep_base"]
    coder = open_base(folder)
    day = base_day(folder, settings["day_koans"], trial.seed, settings["temperature"])
    night = skill_night({**settings, **trial.condition}, trial.seed)
    changed = spend_night(coder, day, trial.condition["method"], night)
    exam = exam_koans(coder.language, settings["exam_koans"])
    validation = validation_koans(coder.language, settings["validation_koans"])
    return Outcome(
        metrics={
            **beside(base_exam(folder, len(exam)), examined(changed, exam)),
            "validation_rate": examined(changed, validation).rate,
        }
    )


EXPERIMENT = Experiment(
    name="sleep_rates",
    title="The rate of a night",
    question="Q-SLEEP",
    summary=("Spends the same night at learning rates from zero to one that ruins the coder."),
    subject=CODER_WITH_LORA,
    axes=(
        Axis("method", "What is learned from the day."),
        Axis("learning_rate", "Peak of the schedule."),
    ),
    metrics=(
        *EXAM_METRICS,
        share_of("validation_rate", "Koans of other unseen templates that one answer turns green."),
    ),
    selection_metric="validation_rate",
    needs=("sleep_base",),
    budgets={
        "smoke": Budget(
            conditions={"method": ("naive", "targeted"), "learning_rate": (5e-4, 2e-3)},
            seeds=2,
            settings={
                "day_koans": 96,
                "exam_koans": 120,
                "validation_koans": 60,
                "temperature": 0.3,
                "steps": 12,
                "rank": 4,
            },
        ),
        "laptop": Budget(
            conditions={"method": METHODS, "learning_rate": RATES},
            seeds=20,
            settings={
                "day_koans": 240,
                "exam_koans": 1000,
                "validation_koans": 600,
                "temperature": 0.3,
                "steps": 120,
                "rank": 8,
            },
        ),
        "gpu": Budget(
            conditions={"method": METHODS, "learning_rate": RATES},
            seeds=20,
            settings={
                "day_koans": 1200,
                "exam_koans": 2400,
                "validation_koans": 1200,
                "temperature": 0.3,
                "steps": 300,
                "rank": 8,
            },
        ),
    },
    run=run,
)
