"""Experiments whose trials one process can run together on a GPU."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llmlab.method.declare.experiment import Experiment, Outcome, Trial

Group = tuple[Sequence[Trial], Callable[[], Sequence[Outcome]]]
"""Trials that finish together, and the function that runs them."""


@dataclass(frozen=True, kw_only=True)
class Sweep(Experiment):
    """An experiment of many small, similar runs.

    Attributes:
        describe: translates one trial into the terms of its lab.
        together: splits many trials into groups and runs each group at once. Must give the same
            results as `run`, within float tolerance. The code that it reaches counts only in the
            fingerprints of runs that were computed together.
    """

    describe: Callable[[Trial], Any]
    together: Callable[["Sweep", Sequence[Trial]], Iterator[Group]]
