"""Proves that koans are what they say: red for the declared reason, and green when solved."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmlab.sleep.koans.judges import judge_koans
from llmlab.sleep.koans.koan import Koan
from llmlab.sleep.koans.store import Store
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class Checked:
    """A koan with the verdicts on its start and on its solution."""

    koan: Koan
    start: Verdict
    solution: Verdict

    @property
    def fault(self) -> str:
        """What is wrong with the koan, or nothing."""
        if self.start.is_green:
            return "its start is green already"
        if self.start.error not in (self.koan.error, *self.koan.older):
            return (
                f"its start is red for {self.start.error} ({self.start.message}), "
                f"not for {self.koan.error}"
            )
        if not self.solution.is_green:
            return f"its solution is red: {self.solution.error}, {self.solution.message}"
        return ""


def check_koans(
    koans: Sequence[Koan], sandbox: Sandbox, store: Store | None = None
) -> list[Checked]:
    """Judge starts and solutions; errors as `judge_koans`."""
    starts = judge_koans(koans, [koan.start for koan in koans], sandbox, store)
    solutions = judge_koans(koans, [koan.solution for koan in koans], sandbox, store)
    return [Checked(*each) for each in zip(koans, starts, solutions, strict=True)]
