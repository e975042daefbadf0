"""Experiments whose trials one process can run together, at once, where there is a GPU."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llmlab.method.declare.experiment import Experiment, Outcome, Trial

Group = tuple[Sequence[Trial], Callable[[], Sequence[Outcome]]]
"""Trials that end together, and the call that runs them all."""


@dataclass(frozen=True, kw_only=True)
class Sweep(Experiment):
    """An experiment of many small runs that differ in little.

    Attributes:
        describe: what one trial is to do, in the terms of its lab.
        together: runs many trials at once, in groups that it makes of them. It has to give what
            `run` gives, within float tolerance. Only the fingerprint of runs that were computed
            together covers the code that it reaches.
    """

    describe: Callable[[Trial], Any]
    together: Callable[["Sweep", Sequence[Trial]], Iterator[Group]]
