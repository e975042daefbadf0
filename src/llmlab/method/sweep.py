"""Experiments whose trials one process can run together, at once, where there is a GPU."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llmlab.method.experiment import Experiment, Trial


@dataclass(frozen=True, kw_only=True)
class Sweep(Experiment):
    """An experiment of many small runs that differ in little.

    Attributes:
        describe: what one trial is to do, in the terms of its lab.
        together: "module:function" of what runs many trials at once. It is named, not imported,
            because results may not depend on it: it has to give what `run` gives, within float
            tolerance, so the digest leaves it out as it leaves out the runner.
    """

    describe: Callable[[Trial], Any]
    together: str
