"""The log of an experiment while it runs: one line per finished run.

The log is for live views only. The tables are built from the runs' own files, never from this log.
"""

from llmlab.method.running.parts import Part
from llmlab.method.running.plan import Plan
from llmlab.runs.folder import RunFolder

MOST_POINTS = 300
"""Points kept per curve: as many as a screen can show."""


class TrialLog:
    """Writes `log.jsonl` into the folder that will hold an experiment's tables."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._log = RunFolder(plan.folder).log
        self._noted: set[str] | None = None

    def note(self, done: int, total: int, event: str) -> None:
        """Take a runner's progress report: runs done, runs in all, and the run just finished.

        The first report replaces the log of an earlier call and logs all finished runs anew.

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
    """The curves of a run, thinned; each keeps its last point."""
    return {name: _thinned(points) for name, points in part.curves.items()}


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    every = max(1, len(points) // MOST_POINTS)
    return points[-1::-every][::-1]
