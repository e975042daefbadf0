"""Eight nights in a row: does a coder that learns from itself improve, level off, or collapse?"""

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Metric, Outcome, Trial
from llmlab.sleep.study.measures import CODER_WITH_LORA, change_of, share_of

METHODS = ("self", "unjudged", "references")
SHOWN = 12
"""Koans whose episodes are kept to look at."""


def run(trial: Trial) -> Outcome:
    from llmlab.sleep.coder.school import UNTAUGHT, taught
    from llmlab.sleep.night.cycles import cycles
    from llmlab.sleep.repair.loop import Setting
    from llmlab.sleep.study.exams import beside, open_base, spend_day
    from llmlab.sleep.study.replay import episodes_view
    from llmlab.sleep.study.skills import cycle_day, exam_of, skill_exam, skill_night, variety

    settings = trial.settings
    coder = open_base(trial.needs["sleep_base"])
    families = (*taught(coder.language), *UNTAUGHT[coder.language])
    koans = skill_exam(coder.language, families, settings["exam_koans"], trial.seed)
    before = exam_of(spend_day(coder, koans))
    night = skill_night(settings, trial.seed)
    spend = cycle_day(settings["day_koans"], settings["temperature"], trial.seed)
    rates = [(0, before.rate)]
    for morning in cycles(coder, spend, trial.condition["method"], night, settings["nights"]):
        episodes = spend_day(morning.coder, koans)
        after = exam_of(episodes)
        rates.append((morning.night, after.rate))
    gains = [rate - before.rate for _, rate in rates]
    return Outcome(
        metrics={
            **beside(before, after),
            "first_gain": gains[1],
            "late_change": gains[-1] - gains[len(gains) // 2],
            "variety": variety(episodes),
            "day_rate": morning.day_rate,
        },
        curves={"rate": rates},
        views={
            "episodes": episodes_view(spend_day(morning.coder, koans[:SHOWN], Setting(turns=3)))
        },
    )


EXPERIMENT = Experiment(
    name="sleep_cycles",
    title="Eight nights in a row",
    question="Q-CYCLES",
    summary=(
        "Repeats day and night eight times, with nights that learn from the coder's own green "
        "repairs, from all its own edits, or from references."
    ),
    subject=CODER_WITH_LORA,
    axes=(Axis("method", "What each night learns from."),),
    metrics=(
        share_of("pass_rate", "Koans that one answer turns green after the last night."),
        change_of("gain", "Pass rate after the last night minus before the first."),
        share_of("gains", "Koans that are green only after the last night."),
        share_of("regressions", "Koans that were green only before the first.", "lower"),
        change_of("taught_gain", "Gain on the families that the base was taught."),
        change_of("new_gain", "Gain on the families that the base was not taught."),
        Metric("mcnemar_p", "Exact McNemar test, before against after.", "1", tolerance=1.0),
        change_of("first_gain", "Gain of the first night."),
        change_of("late_change", "Change of the pass rate over the second half of the nights."),
        share_of("variety", "Distinct answers per koan of the exam."),
        share_of("day_rate", "Koans of the last day that ended green."),
    ),
    curves=(Metric("rate", "Pass rate after each night.", "share", "higher"),),
    needs=("sleep_base",),
    budgets={
        "smoke": Budget(
            conditions={"method": ("self", "unjudged")},
            seeds=2,
            settings={
                "nights": 2,
                "day_koans": 48,
                "exam_koans": 4,
                "temperature": 0.3,
                "steps": 6,
                "learning_rate": 2e-3,
                "rank": 4,
            },
        ),
        "laptop": Budget(
            conditions={"method": METHODS},
            seeds=20,
            settings={
                "nights": 8,
                "day_koans": 120,
                "exam_koans": 12,
                "temperature": 0.3,
                "steps": 30,
                "learning_rate": 2e-3,
                "rank": 8,
            },
        ),
        "gpu": Budget(
            conditions={"method": METHODS},
            seeds=20,
            settings={
                "nights": 16,
                "day_koans": 1200,
                "exam_koans": 100,
                "temperature": 0.3,
                "steps": 200,
                "learning_rate": 1e-3,
                "rank": 8,
            },
        ),
    },
    run=run,
)
