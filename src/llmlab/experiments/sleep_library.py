"""An adapter for each family of bugs, and what it does for its own: others start from them.

`sleep_pieces` runs the same on pieces of families.
"""

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Trial
from llmlab.sleep.study.measures import CODER_WITH_LORA, change_of, share_of


def run(trial: Trial) -> Outcome:
    from dataclasses import replace

    from llmlab.sleep.coder.school import UNTAUGHT, taught
    from llmlab.sleep.night.nights import separate
    from llmlab.sleep.night.stream import skills_of
    from llmlab.sleep.study.exams import open_base, spend_day
    from llmlab.sleep.study.library import FAMILIES, library_file, pieces, save_adapters
    from llmlab.sleep.study.skills import (
        exam_of,
        examined_with,
        lessons_of_families,
        skill_exam,
        skill_night,
    )

    settings, kind = trial.settings, trial.condition["kind"]
    coder = open_base(trial.needs["sleep_base"])
    known, new = taught(coder.language), UNTAUGHT[coder.language]
    night = skill_night(settings, trial.seed)
    lessons = lessons_of_families(coder, (*known, *new), settings["day_koans"], trial.seed)
    if kind != FAMILIES:
        lessons = pieces({family: lessons[family] for family in known}, settings["pieces"])
        night = replace(night, steps=settings["piece_steps"])
    adapters = separate(coder, lessons, night)
    save_adapters(adapters, trial.keep / library_file(kind, trial.seed))
    families = (*known, *new) if kind == FAMILIES else known
    exam = skill_exam(coder.language, families, settings["exam_koans"], trial.seed)
    owners = {
        family: [name for name in adapters if name.split()[0] == family] for family in families
    }
    names = [
        owners[koan.family][number % len(owners[koan.family])] for number, koan in enumerate(exam)
    ]
    before = exam_of(spend_day(coder, exam))
    after = examined_with(coder, exam, skills_of(adapters), names)
    return Outcome(
        metrics={
            "pass_rate": after.rate,
            "gain": after.rate - before.rate,
            "taught_gain": after.rate_of(new=False) - before.rate_of(new=False),
        }
    )


EXPERIMENT = Experiment(
    name="sleep_library",
    title="A library of adapters",
    question="Q-SHARE",
    summary=(
        "Trains an adapter for each family of bugs; other experiments make shared bases and "
        "routes from them."
    ),
    subject=CODER_WITH_LORA,
    axes=(Axis("kind", "What each adapter is trained on: a family, or a piece of one."),),
    metrics=(
        share_of("pass_rate", "Koans that the adapter of their own family turns green."),
        change_of("gain", "Pass rate with it minus without."),
        change_of("taught_gain", "Gain on the families that the base was taught."),
    ),
    needs=("sleep_base",),
    budgets={
        "smoke": Budget(
            conditions={"kind": ("families",)},
            seeds=2,
            settings={
                "day_koans": 8,
                "exam_koans": 4,
                "steps": 8,
                "pieces": 9,
                "piece_steps": 2,
                "learning_rate": 1e-2,
                "rank": 2,
            },
        ),
        "laptop": Budget(
            conditions={"kind": ("families",)},
            seeds=20,
            settings={
                "day_koans": 40,
                "exam_koans": 12,
                "steps": 45,
                "pieces": 51,
                "piece_steps": 12,
                "learning_rate": 1e-2,
                "rank": 4,
            },
        ),
        "gpu": Budget(
            conditions={"kind": ("families",)},
            seeds=20,
            settings={
                "day_koans": 200,
                "exam_koans": 100,
                "steps": 300,
                "pieces": 51,
                "piece_steps": 100,
                "learning_rate": 3e-3,
                "rank": 8,
            },
        ),
    },
    run=run,
)
