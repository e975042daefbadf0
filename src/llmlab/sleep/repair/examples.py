"""Repairs that are shown before a question (few-shot)."""

from collections.abc import Sequence

from llmlab.sleep.koans.generated import generate
from llmlab.sleep.koans.judges import judge_koans
from llmlab.sleep.koans.koan import Koan
from llmlab.sleep.koans.store import usable_store
from llmlab.sleep.repair.edits import difference
from llmlab.sleep.repair.task import Example
from llmlab.sleep.sandbox.sandbox import Unguarded


def examples_for(koans: Sequence[Koan], count: int) -> tuple[Example, ...]:
    """`count` repairs of the grammar's training part, in the language of the first koan.

    None of them is of a template that a test koan may have. Errors as `generate`.
    """
    if not count:
        return ()
    store = usable_store()
    shown = generate(koans[0].language, "train", count, seed=0, store=store)
    starts = judge_koans(shown, [koan.start for koan in shown], Unguarded(), store)
    return tuple(
        Example(koan.start, verdict, difference(koan.start, koan.solution).text())
        for koan, verdict in zip(shown, starts, strict=True)
    )
