"""Does a basis of many adapters serve a new family of bugs better than few, or than chance?"""

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Trial
from llmlab.sleep.study.measures import CODER_WITH_LORA, change_of, share_of

BASES = ("6", "12", "25", "51", "random")


def run(trial: Trial) -> Outcome:
    from llmlab.sleep.coder.school import UNTAUGHT
    from llmlab.sleep.night.stream import coefficients
    from llmlab.sleep.study.exams import open_base, spend_day
    from llmlab.sleep.study.library import PIECES, basis_of, captured, library_file, load_adapters
    from llmlab.sleep.study.skills import (
        SMALL_LIBRARY,
        exam_of,
        examined_with,
        open_stream,
        skill_exam,
        skill_night,
    )

    settings, seed = trial.settings, trial.seed
    language = open_base(trial.needs["sleep_base"]).language
    families = UNTAUGHT[language]
    night = skill_night(settings, seed)
    stream = open_stream(trial.needs, families, settings["day_koans"], night)
    library = load_adapters(trial.needs[SMALL_LIBRARY] / library_file(PIECES, seed))
    bases = basis_of(list(library.values()), trial.condition["basis"], settings["directions"], seed)
    skills = coefficients(stream.coder, stream.tasks, bases, night)
    exam = skill_exam(language, families, settings["exam_koans"], seed)
    before = exam_of(spend_day(stream.coder, exam))
    after = examined_with(stream.coder, exam, skills, [koan.family for koan in exam])
    shares = [captured(adapter, bases) for adapter in stream.adapters.values()]
    pairs = list(zip(before.is_green, after.is_green, strict=True))
    return Outcome(
        metrics={
            "pass_rate": after.rate,
            "gain": after.rate - before.rate,
            "gains": sum(b and not a for a, b in pairs) / len(pairs),
            "regressions": sum(a and not b for a, b in pairs) / len(pairs),
            "captured": sum(shares) / len(shares),
        }
    )


EXPERIMENT = Experiment(
    name="sleep_adapters",
    title="Few adapters, many, or chance",
    question="Q-BASIS",
    summary=(
        "Learns new families with coefficients alone, in a basis of 6 to 51 adapters of other "
        "families, or of random directions."
    ),
    subject=CODER_WITH_LORA,
    axes=(Axis("basis", "Adapters that the basis is made of."),),
    metrics=(
        share_of("pass_rate", "Koans of new families that one answer turns green."),
        change_of("gain", "Pass rate after the night minus before."),
        share_of("gains", "Koans that are green only after the night."),
        share_of("regressions", "Koans that were green only before the night.", "lower"),
        share_of("captured", "Share of the squared ΔW of free adapters that lies in the basis."),
    ),
    needs=("sleep_base", "sleep_library", "sleep_pieces"),
    budgets={
        "smoke": Budget(
            conditions={"basis": ("6", "random")},
            seeds=2,
            settings={
                "directions": 4,
                "day_koans": 8,
                "exam_koans": 8,
                "steps": 6,
                "learning_rate": 1e-2,
                "rank": 2,
            },
        ),
        "laptop": Budget(
            conditions={"basis": BASES},
            seeds=20,
            settings={
                "directions": 8,
                "day_koans": 40,
                "exam_koans": 40,
                "steps": 45,
                "learning_rate": 1e-2,
                "rank": 4,
            },
        ),
        "gpu": Budget(
            conditions={"basis": BASES},
            seeds=20,
            settings={
                "directions": 32,
                "day_koans": 200,
                "exam_koans": 200,
                "steps": 300,
                "learning_rate": 3e-3,
                "rank": 8,
            },
        ),
    },
    run=run,
)
