"""Is it worth more to ask again, with a hint or with an example, than to learn at night?"""

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Subject, Trial
from llmlab.sleep.study.measures import KOANS, share_of


def run(trial: Trial) -> Outcome:
    from llmlab.sleep.repair.examples import examples_by_family
    from llmlab.sleep.repair.loop import Setting
    from llmlab.sleep.study.exams import examined, koans_of, open_base

    coder = open_base(trial.needs["sleep_base"])
    koans = koans_of(coder.language, "test", trial.settings["exam_koans"], 300_000 + trial.seed)
    setting = Setting(
        turns=trial.condition["turns"],
        families=trial.condition["hint"],
        examples=examples_by_family(koans, trial.condition["examples"], trial.seed),
    )
    exam = examined(coder, koans, setting)
    return Outcome(
        metrics={
            "pass_rate": exam.rate,
            "taught_rate": exam.rate_of(new=False),
            "new_rate": exam.rate_of(new=True),
        }
    )


EXPERIMENT = Experiment(
    name="sleep_prompting",
    title="Hints, examples and turns",
    question="Q-PROMPT",
    summary="Lets the small coder answer up to four times, with and without a hint or an example.",
    subject=Subject("the book's small coder", KOANS),
    axes=(
        Axis("turns", "Answers allowed for each koan.", "answers"),
        Axis("hint", "Whether the coder is told the family of the bug."),
        Axis("examples", "Repairs of the same family, of other programs, that it is shown first."),
    ),
    metrics=(
        share_of("pass_rate", "Koans that end green."),
        share_of("taught_rate", "The same, for the families that the base was taught."),
        share_of("new_rate", "The same, for the families that it was not taught."),
    ),
    needs=("sleep_base",),
    budgets={
        "smoke": Budget(
            conditions={"turns": (1, 2), "hint": (False, True), "examples": (0, 1)},
            seeds=2,
            settings={"exam_koans": 96},
        ),
        "laptop": Budget(
            conditions={"turns": (1, 2, 4), "hint": (False, True), "examples": (0, 1)},
            seeds=10,
            settings={"exam_koans": 600},
        ),
        "gpu": Budget(
            conditions={"turns": (1, 2, 4), "hint": (False, True), "examples": (0, 1)},
            seeds=10,
            settings={"exam_koans": 2400},
        ),
    },
    run=run,
)
