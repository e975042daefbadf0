"""Repairs that are shown before a question (few-shot)."""

from collections.abc import Mapping, Sequence

from llmlab.sleep.koans.generated import generate
from llmlab.sleep.koans.judges import judge_koans
from llmlab.sleep.koans.koan import Koan, Language
from llmlab.sleep.koans.store import usable_store
from llmlab.sleep.repair.edits import difference
from llmlab.sleep.repair.task import Example
from llmlab.sleep.sandbox.sandbox import Unguarded

Examples = Mapping[str, tuple[Example, ...]]
"""Repairs to show, by the family of the bug."""


def examples_for(koans: Sequence[Koan], count: int) -> Examples:
    """The same `count` repairs for every family, in the language of the first koan.

    None of them is of a template that a test koan may have. Errors as `generate`.
    """
    if not count:
        return {}
    shown = _examples(koans[0].language, count, seed=0)
    return dict.fromkeys((koan.family for koan in koans), shown)


def examples_by_family(koans: Sequence[Koan], count: int, seed: int) -> Examples:
    """`count` repairs of the bug's own family for each family; as `examples_for` else."""
    families = sorted({koan.family for koan in koans}) if count else ()
    return {
        family: _examples(koans[0].language, count, seed, families=[family]) for family in families
    }


def _examples(
    language: Language, count: int, seed: int, families: Sequence[str] | None = None
) -> tuple[Example, ...]:
    store = usable_store()
    shown = generate(language, "train", count, seed, families=families, store=store)
    starts = judge_koans(shown, [koan.start for koan in shown], Unguarded(), store)
    return tuple(
        Example(koan.start, verdict, difference(koan.start, koan.solution).text())
        for koan, verdict in zip(shown, starts, strict=True)
    )
