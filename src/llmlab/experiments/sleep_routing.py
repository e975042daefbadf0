"""With an adapter for each family of bugs: choose one for each program, or merge them all?"""

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Trial
from llmlab.sleep.study.measures import CODER_WITH_LORA, EXAM_METRICS, share_of

ROUTES = ("oracle", "learned", "chance", "averaged", "one")


def run(trial: Trial) -> Outcome:
    from llmlab.sleep.coder.school import UNTAUGHT, taught
    from llmlab.sleep.study.exams import beside, open_base, spend_day
    from llmlab.sleep.study.routes import ROUTES
    from llmlab.sleep.study.skills import (
        exam_of,
        examined_with,
        open_stream,
        skill_exam,
        skill_night,
    )

    settings = trial.settings
    language = open_base(trial.needs["sleep_base"]).language
    families = (*taught(language), *UNTAUGHT[language])
    night = skill_night(settings, trial.seed)
    stream = open_stream(trial.needs, families, settings["day_koans"], night)
    exam = skill_exam(language, families, settings["exam_koans"], trial.seed)
    before = exam_of(spend_day(stream.coder, exam))
    route = ROUTES[trial.condition["route"]](stream, exam)
    after = examined_with(stream.coder, exam, route.skills, route.names)
    right = [name == koan.family for name, koan in zip(route.names, exam, strict=True)]
    return Outcome(metrics={**beside(before, after), "rightly_routed": sum(right) / len(right)})


EXPERIMENT = Experiment(
    name="sleep_routing",
    title="An adapter for each program",
    question="Q-ROUTING",
    summary=(
        "Trains an adapter for each family of bugs and answers each program with that of its "
        "family, of a learned guess, of chance, with their mean, or with one adapter for all."
    ),
    subject=CODER_WITH_LORA,
    axes=(Axis("route", "Whose weights answer each program."),),
    metrics=(
        *EXAM_METRICS,
        share_of("rightly_routed", "Koans answered by the adapter of their own family."),
    ),
    needs=("sleep_base", "sleep_library"),
    budgets={
        "smoke": Budget(
            conditions={"route": ("oracle", "learned", "averaged")},
            seeds=2,
            settings={
                "day_koans": 6,
                "exam_koans": 4,
                "steps": 4,
                "learning_rate": 1e-2,
                "rank": 2,
            },
        ),
        "laptop": Budget(
            conditions={"route": ROUTES},
            seeds=20,
            settings={
                "day_koans": 40,
                "exam_koans": 12,
                "steps": 45,
                "learning_rate": 1e-2,
                "rank": 4,
            },
        ),
        "gpu": Budget(
            conditions={"route": ROUTES},
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
