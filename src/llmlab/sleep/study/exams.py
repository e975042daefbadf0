"""What experiments on nights have in common: a day, a night, and an examination."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from llmlab.method.judging.statistics import mcnemar_p
from llmlab.sleep.coder.coder import ABOUT, Coder, load_coder
from llmlab.sleep.coder.school import UNTAUGHT, coder_sandbox, koans_of
from llmlab.sleep.koans.koan import Koan, Language
from llmlab.sleep.koans.store import Store
from llmlab.sleep.repair.episodes import Episode
from llmlab.sleep.repair.loop import Setting, attempt
from llmlab.sleep.repair.task import Client

DAY, EXAM = 100_000, 200_000
"""Offsets that keep the seeds of days, of exams and of school apart."""
ONE_ANSWER = Setting()


@dataclass(frozen=True)
class Exam:
    """Which test koans are green, and of which families.

    Attributes:
        is_green: of each koan, in their order.
        is_new: whether its family is one that the base was not taught.
    """

    is_green: tuple[bool, ...]
    is_new: tuple[bool, ...]

    @property
    def rate(self) -> float:
        return sum(self.is_green) / len(self.is_green)

    def rate_of(self, new: bool) -> float:
        chosen = [
            green for green, is_new in zip(self.is_green, self.is_new, strict=True) if is_new == new
        ]
        return sum(chosen) / len(chosen)


def open_base(folder: Path) -> Coder:
    """The coder that `sleep_base` left."""
    return load_coder(next(folder.rglob(ABOUT)).parent)


def day_koans(language: Language, count: int, seed: int) -> tuple[Koan, ...]:
    return koans_of(language, "train", count, DAY + seed)


def validation_koans(language: Language, count: int) -> tuple[Koan, ...]:
    """To choose settings by: of templates that are neither in lessons nor in an exam."""
    return koans_of(language, "validation", count, EXAM)


def exam_koans(language: Language, count: int) -> tuple[Koan, ...]:
    """The same for every seed, so that runs can be compared koan by koan."""
    return koans_of(language, "test", count, EXAM)


def spend_day(
    coder: Coder, koans: Sequence[Koan], setting: Setting = ONE_ANSWER, temperature: float = 0.0
) -> list[Episode]:
    """The episodes of a coder that tries these koans."""
    return tried(koans, replace(coder, temperature=temperature), setting)


def tried(koans: Sequence[Koan], client: Client, setting: Setting = ONE_ANSWER) -> list[Episode]:
    """The episodes of anyone who answers as the small coder does, in its vocabulary."""
    return attempt(koans, client, coder_sandbox(), setting, store=Store())


def examined(client: Client, koans: Sequence[Koan], setting: Setting = ONE_ANSWER) -> Exam:
    """How a coder does on koans of templates that were never trained on."""
    return exam_of(tried(koans, client, setting))


def exam_of(episodes: Sequence[Episode]) -> Exam:
    """The exam whose koans were tried in these episodes."""
    new = UNTAUGHT[episodes[0].language]
    return Exam(
        tuple(episode.is_green for episode in episodes),
        tuple(episode.family in new for episode in episodes),
    )


@cache
def base_day(folder: Path, count: int, seed: int, temperature: float = 0.0) -> tuple[Episode, ...]:
    """A day of the coder in `folder`, the same whatever the night makes of it."""
    coder = open_base(folder)
    return tuple(spend_day(coder, day_koans(coder.language, count, seed), temperature=temperature))


@cache
def base_exam(folder: Path, count: int) -> Exam:
    """How the coder in `folder` does on `exam_koans`, the same before every night."""
    coder = open_base(folder)
    return examined(coder, exam_koans(coder.language, count))


def beside(before: Exam, after: Exam) -> dict[str, float]:
    """An exam against the one before: rates, gains, regressions."""
    pairs = list(zip(before.is_green, after.is_green, strict=True))
    n = len(pairs)
    return {
        "pass_rate": after.rate,
        "gain": after.rate - before.rate,
        "gains": sum(b and not a for a, b in pairs) / n,
        "regressions": sum(a and not b for a, b in pairs) / n,
        "taught_gain": after.rate_of(new=False) - before.rate_of(new=False),
        "new_gain": after.rate_of(new=True) - before.rate_of(new=True),
        "mcnemar_p": mcnemar_p(before.is_green, after.is_green),
    }
