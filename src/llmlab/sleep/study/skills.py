"""What experiments on many adapters have in common: lessons by family, and an exam by family."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from llmlab.method.declare.experiment import Value
from llmlab.sleep.coder.coder import Coder
from llmlab.sleep.coder.names import places
from llmlab.sleep.coder.school import koans_of
from llmlab.sleep.coder.tokens import placed
from llmlab.sleep.koans.koan import Koan, Language
from llmlab.sleep.night.adapters import with_deltas
from llmlab.sleep.night.cycles import Day
from llmlab.sleep.night.lessons import naive
from llmlab.sleep.night.nights import Night, Tasks
from llmlab.sleep.night.skills import Stream, in_random_order
from llmlab.sleep.night.stream import Skills
from llmlab.sleep.repair.episodes import Episode
from llmlab.sleep.repair.loop import Setting
from llmlab.sleep.study.exams import DAY, Exam, exam_of, open_base, spend_day
from llmlab.sleep.study.library import FAMILIES, library_file, load_adapters

SKILL_EXAM = 400_000
"""Seeds of these exams are apart from those of days and of other exams."""
NOT_TRIED = Setting(turns=0)
BASE, LIBRARY, SMALL_LIBRARY = "sleep_base", "sleep_library", "sleep_pieces"
"""The experiments whose files these studies read."""


def skill_night(settings: Mapping[str, Value], seed: int) -> Night:
    """The night that an experiment's settings describe, for each family."""
    return Night(
        steps=settings["steps"],
        learning_rate=settings["learning_rate"],
        rank=settings["rank"],
        alpha=2 * settings["rank"],
        seed=seed,
    )


def open_stream(
    needs: Mapping[str, Path], families: Sequence[str], koans: int, night: Night
) -> Stream:
    """The base, and lessons and adapters of the families in an order of the seed's own."""
    coder = open_base(needs[BASE])
    order = in_random_order(tuple(families), night.seed)
    adapters = load_adapters(needs[LIBRARY] / library_file(FAMILIES, night.seed))
    tasks = lessons_of_families(coder, order, koans, night.seed)
    return Stream(coder, tasks, {family: adapters[family] for family in order}, night)


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
    found: dict[int, Episode] = {}
    for name in dict.fromkeys(names):
        chosen = [at for at, each in enumerate(names) if each == name]
        able = replace(coder, model=with_deltas(coder.model, skills[name]))
        episodes = spend_day(able, [koans[at] for at in chosen])
        found |= dict(zip(chosen, episodes, strict=True))
    return exam_of([found[at] for at in range(len(koans))])


def cycle_day(koans: int, temperature: float, seed: int) -> Day:
    """Fresh koans for each day in a row."""

    def spend(coder: Coder, number: int) -> list[Episode]:
        found = koans_of(coder.language, "train", koans, DAY + 100 * (seed + 1) + number)
        return spend_day(replace(coder, seed=number), found, temperature=temperature)

    return spend


def variety(episodes: Sequence[Episode]) -> float:
    """Distinct answers per koan, names by their place: a coder that collapsed has few."""
    answers = {tuple(placed(each.turns[-1].answer, places(each.start))) for each in episodes}
    return len(answers) / len(episodes)
