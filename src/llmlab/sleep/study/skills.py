"""What experiments on many adapters have in common: lessons by family, and an exam by family."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from llmlab.sleep.coder.coder import Coder
from llmlab.sleep.coder.names import places
from llmlab.sleep.coder.school import UNTAUGHT, koans_of
from llmlab.sleep.coder.tokens import placed
from llmlab.sleep.koans.koan import Koan, Language
from llmlab.sleep.night.adapters import with_deltas
from llmlab.sleep.night.cycles import Day
from llmlab.sleep.night.lessons import naive
from llmlab.sleep.night.nights import Night
from llmlab.sleep.night.skills import Stream, in_random_order
from llmlab.sleep.night.stream import Skills, Tasks
from llmlab.sleep.repair.episodes import Episode
from llmlab.sleep.repair.loop import Setting
from llmlab.sleep.study.exams import DAY, Exam, open_base, spend_day

SKILL_EXAM = 400_000
"""Seeds of these exams are apart from those of days and of other exams."""
NOT_TRIED = Setting(turns=0)


@dataclass(frozen=True)
class Course:
    """What is learned about some families, and how.

    Attributes:
        folder: what `sleep_base` left.
        koans: for each family.
    """

    folder: Path
    families: tuple[str, ...]
    koans: int
    night: Night


@cache
def stream_of(course: Course) -> Stream:
    """The base, and the lessons of each family in an order of this seed's own."""
    coder = open_base(course.folder)
    order = in_random_order(course.families, course.night.seed)
    return Stream(
        coder, lessons_of_families(coder, order, course.koans, course.night.seed), course.night
    )


def lessons_of_families(coder: Coder, families: Sequence[str], koans: int, seed: int) -> Tasks:
    """The references of fresh koans, by family."""
    found = koans_of(coder.language, "train", koans * len(families), DAY + seed, sorted(families))
    episodes = spend_day(coder, found, NOT_TRIED)
    return {
        family: naive([each for each in episodes if each.family == family], seed)
        for family in families
    }


def skill_exam(
    language: Language, families: Sequence[str], koans: int, seed: int
) -> tuple[Koan, ...]:
    """Test koans of this seed: all seeds together are a large exam, and pairs share theirs."""
    return koans_of(language, "test", koans * len(families), SKILL_EXAM + seed, sorted(families))


def examined_with(
    coder: Coder, koans: Sequence[Koan], skills: Skills, names: Sequence[str]
) -> Exam:
    """An exam in which each koan is answered with the weights of its name in `names`."""
    green: dict[int, bool] = {}
    for name in dict.fromkeys(names):
        chosen = [at for at, each in enumerate(names) if each == name]
        able = replace(coder, model=with_deltas(coder.model, skills[name]))
        episodes = spend_day(able, [koans[at] for at in chosen])
        green |= {at: each.is_green for at, each in zip(chosen, episodes, strict=True)}
    new = UNTAUGHT[coder.language]
    return Exam(
        tuple(green[at] for at in range(len(koans))), tuple(koan.family in new for koan in koans)
    )


@cache
def base_skill_exam(folder: Path, families: tuple[str, ...], koans: int, seed: int) -> Exam:
    """How the base does on `skill_exam`."""
    coder = open_base(folder)
    episodes = spend_day(coder, skill_exam(coder.language, families, koans, seed))
    return exam_of(episodes, coder.language)


def exam_of(episodes: Sequence[Episode], language: Language) -> Exam:
    new = UNTAUGHT[language]
    return Exam(
        tuple(each.is_green for each in episodes), tuple(each.family in new for each in episodes)
    )


def cycle_day(koans: int, temperature: float, seed: int) -> Day:
    """Fresh koans for each day of a row."""

    def spend(coder: Coder, number: int) -> list[Episode]:
        found = koans_of(coder.language, "train", koans, DAY + 100 * (seed + 1) + number)
        return spend_day(replace(coder, seed=number), found, temperature=temperature)

    return spend


def variety(episodes: Sequence[Episode]) -> float:
    """Different answers for each koan, names by their place: a coder that collapsed has few."""
    answers = {tuple(placed(each.turns[-1].answer, places(each.start))) for each in episodes}
    return len(answers) / len(episodes)
