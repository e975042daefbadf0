"""Who is examined after a night: a coder, one with weights for each family, or a floor."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llmlab.sleep.coder.coder import Coder
from llmlab.sleep.coder.tokens import CodeTokens
from llmlab.sleep.koans.koan import Koan
from llmlab.sleep.night.catalog import spend_night
from llmlab.sleep.night.lessons import naive
from llmlab.sleep.night.nights import Night
from llmlab.sleep.repair.episodes import Episode
from llmlab.sleep.repair.task import Answer, Task
from llmlab.sleep.study.exams import Exam, examined
from llmlab.sleep.study.skills import examined_with

SINGLE_TASK, MAJORITY = "single-task", "majority"
"""An adapter for each family, and the family of each koan is told; and the floor."""


@dataclass(frozen=True)
class Majority:
    """Gives every program one answer, the commonest right one of a day."""

    ids: tuple[int, ...]
    tokens: CodeTokens
    name: str = MAJORITY

    def answer(self, tasks: Sequence[Task], turn: int) -> list[Answer]:
        return [Answer(self.tokens.text(self.ids, task.code)) for task in tasks]


def majority(tokens: CodeTokens, episodes: Sequence[Episode]) -> Majority:
    """The floor that a day gives."""
    edits = Counter(
        tuple(tokens.answer(lesson.edit, lesson.task.code)[:-1]) for lesson in naive(episodes, 0)
    )
    return Majority(edits.most_common(1)[0][0], tokens)


def examined_after(
    coder: Coder, day: Sequence[Episode], method: str, night: Night, koans: Sequence[Koan]
) -> Exam:
    """The exam after a night of a method, or of one of the two that need no night's name."""
    if method == MAJORITY:
        return examined(majority(coder.tokens, day), koans)
    if method == SINGLE_TASK:
        skills = spend_night(coder, day, "routing", night).skills
        return examined_with(coder, koans, skills, [koan.family for koan in koans])
    return examined(spend_night(coder, day, method, night), koans)
