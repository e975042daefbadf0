"""The log of an experiment while it runs: one line for each run that is finished.

It is for whoever watches. The tables are made of the runs' own files, and nothing reads this log
to make them.
"""

from llmlab.method.running.parts import Part
from llmlab.method.running.plan import Plan
from llmlab.runs.folder import RunFolder

MOST_POINTS = 300
"""Of each curve: what a screen shows."""


class TrialLog:
    """Writes `log.jsonl` beside the tables that an experiment will have."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._log = RunFolder(plan.folder).log
        self._noted: set[str] | None = None

    def note(self, done: int, total: int, event: str) -> None:
        """Take the report of a runner: how far it is, and which run it has finished.

        The first report finds the log of an earlier call, and begins anew with what is finished.

        Raises:
            LabError: the log cannot be written.
        """
        if self._noted is None:
            self._begin(total)
        if event in self._chosen - self._noted:
            self._add(event)

    def _begin(self, total: int) -> None:
        self._noted = set()
        facts = {"experiment": self._plan.experiment.name, "scale": self._plan.scale}
        self._log.start({**facts, "trials": total})
        for run_id in sorted(self._chosen):
            self._add(run_id)

    @property
    def _chosen(self) -> set[str]:
        return {trial.run_id for trial in self._plan.chosen}

    def _add(self, run_id: str) -> None:
        if part := self._plan.parts.read(run_id):
            self._noted.add(run_id)
            self._log.append("trial", {"run_id": run_id, "row": part.row, "curves": _curves(part)})


def _curves(part: Part) -> dict[str, list[tuple[int, float]]]:
    """The curves of a run, thinned, with their last points."""
    return {name: _thinned(points) for name, points in part.curves.items()}


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    every = max(1, len(points) // MOST_POINTS)
    return points[-1::-every][::-1]
