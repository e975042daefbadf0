"""How many passed episodes should a night repeat?"""

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Trial
from llmlab.sleep.study.measures import CODER_WITH_LORA, EXAM_METRICS

SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5)


def run(trial: Trial) -> Outcome:
    from dataclasses import replace

    from llmlab.sleep.night.catalog import spend_night
    from llmlab.sleep.study.exams import (
        base_day,
        base_exam,
        beside,
        exam_koans,
        examined,
        open_base,
    )
    from llmlab.sleep.study.skills import skill_night

    settings = trial.settings
    folder = trial.needs["sleep_base"]
    coder = open_base(folder)
    exam = exam_koans(coder.language, settings["exam_koans"])
    day = base_day(folder, settings["day_koans"], trial.seed)
    night = replace(skill_night(settings, trial.seed), replay=trial.condition["replay"])
    after = spend_night(coder, day, "replay", night)
    return Outcome(metrics=beside(base_exam(folder, len(exam)), examined(after, exam)))


EXPERIMENT = Experiment(
    name="sleep_replay",
    title="Replay at night",
    question="Q-SLEEP",
    summary="Mixes passed episodes into the failed ones of a day, in six shares.",
    subject=CODER_WITH_LORA,
    axes=(Axis("replay", "Share of passed episodes among the lessons."),),
    metrics=EXAM_METRICS,
    needs=("sleep_base",),
    budgets={
        "smoke": Budget(
            conditions={"replay": (0.0, 0.2)},
            seeds=2,
            settings={
                "day_koans": 96,
                "exam_koans": 120,
                "steps": 12,
                "learning_rate": 2e-3,
                "rank": 4,
            },
        ),
        "laptop": Budget(
            conditions={"replay": SHARES},
            seeds=20,
            settings={
                "day_koans": 240,
                "exam_koans": 1000,
                "steps": 100,
                "learning_rate": 2e-3,
                "rank": 8,
            },
        ),
        "gpu": Budget(
            conditions={"replay": SHARES},
            seeds=20,
            settings={
                "day_koans": 1200,
                "exam_koans": 2400,
                "steps": 300,
                "learning_rate": 1e-3,
                "rank": 8,
            },
        ),
    },
    run=run,
)
