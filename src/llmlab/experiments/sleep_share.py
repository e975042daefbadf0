"""Share, as in its paper and as in its authors' code, against simpler methods.

Six families arrive one after another, in an order drawn by the seed. The family of each program is
known, as in the paper; methods that make one adapter for all ignore it.
"""

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Metric, Outcome, Trial
from llmlab.sleep.study.measures import CODER_WITH_LORA, EXAM_METRICS, change_of

METHODS = (
    "separate",
    "share-full",
    "share-continual",
    "share-as-coded",
    "share-projected",
    "share-coefficients",
    "random-coefficients",
    "share-averaged",
    "mean-factors",
    "mean",
    "null",
)
NEW, KNOWN = ("aliases", "attributes", "unpacking"), ("keys", "loops", "strings")


def run(trial: Trial) -> Outcome:
    from llmlab.sleep.night.bases import expected_shrinkage, shrinkage
    from llmlab.sleep.night.skills import SHARE_METHODS
    from llmlab.sleep.study.exams import beside, spend_day
    from llmlab.sleep.study.skills import (
        exam_of,
        examined_with,
        open_stream,
        skill_exam,
        skill_night,
    )

    settings, families = trial.settings, (*NEW, *KNOWN)
    night = skill_night(settings, trial.seed)
    stream = open_stream(trial.needs, families, settings["day_koans"], night)
    skills = SHARE_METHODS[trial.condition["method"]](stream)
    language = stream.coder.language
    exam = skill_exam(language, families, settings["exam_koans"], trial.seed)
    before = exam_of(spend_day(stream.coder, exam))
    after = examined_with(stream.coder, exam, skills, [koan.family for koan in exam])
    adapters = list(stream.adapters.values())
    kept = sum(shrinkage(changes, adapters) for changes in skills.values()) / len(skills)
    early = set(list(stream.tasks)[: len(families) // 2])
    is_early = [koan.family in early for koan in exam]
    return Outcome(
        metrics={
            **beside(before, after),
            "early_gain": _gain(before.is_green, after.is_green, is_early),
            "late_gain": _gain(before.is_green, after.is_green, [not each for each in is_early]),
            "size": kept,
            "size_to_forecast": kept / expected_shrinkage(adapters),
            "directions": stream.n_directions,
        }
    )


def _gain(before: tuple[bool, ...], after: tuple[bool, ...], chosen: list[bool]) -> float:
    changes = [b - a for a, b, is_in in zip(before, after, chosen, strict=True) if is_in]
    return sum(changes) / len(changes)


EXPERIMENT = Experiment(
    name="sleep_share",
    title="Share, in three readings",
    question="Q-SHARE",
    summary=(
        "Learns six families of bugs one after another, and compares Share, as in its paper and as "
        "in its authors' code, with separate adapters, means, random bases and noise."
    ),
    subject=CODER_WITH_LORA,
    axes=(Axis("method", "How the weights for each family are made."),),
    metrics=(
        *EXAM_METRICS,
        change_of("early_gain", "Gain on the half of the families that came first."),
        change_of("late_gain", "Gain on the half that came last."),
        Metric(
            "size",
            "Norm of the added weights over that of the separate adapters.",
            "1",
            tolerance=0.2,
        ),
        Metric(
            "size_to_forecast",
            "That size over the forecast for the product of mean factors.",
            "1",
            tolerance=1.0,
        ),
        Metric("directions", "Directions that hold 60 % of the variance.", "1", tolerance=2.0),
    ),
    needs=("sleep_base", "sleep_library"),
    budgets={
        "smoke": Budget(
            conditions={"method": ("separate", "share-continual", "mean-factors", "mean")},
            seeds=2,
            settings={
                "day_koans": 8,
                "exam_koans": 8,
                "steps": 8,
                "learning_rate": 1e-2,
                "rank": 2,
            },
        ),
        "laptop": Budget(
            conditions={"method": METHODS},
            seeds=20,
            settings={
                "day_koans": 40,
                "exam_koans": 20,
                "steps": 45,
                "learning_rate": 1e-2,
                "rank": 4,
            },
        ),
        "gpu": Budget(
            conditions={"method": METHODS},
            seeds=20,
            settings={
                "day_koans": 200,
                "exam_koans": 100,
                "steps": 300,
                "learning_rate": 3e-3,
                "rank": 8,
            },
        ),
    },
    run=run,
)
