"""The school of the small coder: which families it is taught, and how it is examined."""

from collections.abc import Sequence
from dataclasses import replace

from llmlab.sleep.coder.lessons import Lesson
from llmlab.sleep.koans.generated import GRAMMARS, Split, generate
from llmlab.sleep.koans.judges import judge_koans
from llmlab.sleep.koans.koan import Koan, Language
from llmlab.sleep.koans.store import Store
from llmlab.sleep.repair.edits import difference
from llmlab.sleep.repair.task import Example, Task
from llmlab.sleep.sandbox.levels import probe
from llmlab.sleep.sandbox.sandbox import Sandbox, Unguarded

UNTAUGHT: dict[Language, tuple[str, ...]] = {
    "python": ("aliases", "attributes", "unpacking"),
    "rust": ("bounds", "lifetimes", "matches", "borrows"),
}
"""Families that the base never sees, left to learn by night."""


def taught(language: Language) -> tuple[str, ...]:
    return tuple(
        family for family in GRAMMARS[language].families if family not in UNTAUGHT[language]
    )


def koans_of(
    language: Language, split: Split, count: int, seed: int, families: Sequence[str] | None = None
) -> tuple[Koan, ...]:
    """Verified koans, whose results are kept; errors as `generate`."""
    return generate(language, split, count, seed, families=families, store=Store())


def lessons_of(koans: Sequence[Koan]) -> list[Lesson]:
    """Each koan with its reference, and the help that a task may have.

    Every second one names its family, as a hint would; one in four follows another repair of its
    family, as an example would.
    """
    starts = judge_koans(koans, [koan.start for koan in koans], Unguarded(), Store())
    latest: dict[str, tuple[Example, ...]] = {}
    lessons = []
    for number, (koan, verdict) in enumerate(zip(koans, starts, strict=True)):
        edit = difference(koan.start, koan.solution).text()
        task = Task(koan.language, koan.start, verdict)
        if number % 2:
            task = replace(task, family=koan.family)
        elif number % 4:
            task = replace(task, examples=latest.get(koan.family, ()))
        lessons.append(Lesson(task, edit))
        latest[koan.family] = (Example(koan.start, verdict, edit),)
    return lessons


def coder_sandbox() -> Sandbox:
    """Where the small coder's programs run: one sandbox for a batch, if the machine has one.

    Its vocabulary is the grammar's, without imports, files or processes, so its programs need no
    walls between them, and run without any on a machine that has none.
    """
    found = probe().sandbox
    if not found.isolates:
        return found
    return replace(found, level=f"{found.level}, one for a batch", isolates=False)
