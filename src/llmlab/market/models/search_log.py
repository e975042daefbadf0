"""The log of a search, for live views: one line per finished trial."""

from optuna.trial import FrozenTrial, TrialState

from llmlab.runs.log import RunLog

LOSS, BEST, CURVE = "validation loss of each trial", "best so far", "validation loss by epoch"
SAID = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned"}


class SearchLog:
    """Writes `log.jsonl` into the folder of a search."""

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self._best: list[tuple[int, float]] = []

    def start(self, n_trials: int, earlier: list[FrozenTrial]) -> None:
        """Replace the log of an earlier call, and log the trials that it finished.

        Raises:
            LabError: the log cannot be written.
        """
        self._log.start({"trials": n_trials})
        for trial in earlier:
            self.note(trial)

    def note(self, trial: FrozenTrial) -> None:
        """Log a trial, unless a kill cut it short."""
        if trial.state not in SAID:
            return
        by_epoch = sorted(trial.intermediate_values.items())
        loss = min(value for _, value in by_epoch)
        best = min(loss, self._best[-1][1]) if self._best else loss
        before, self._best = self._best, [(trial.number, best)]
        self._log.append(
            "trial",
            {
                "run_id": f"trial {trial.number}, {SAID[trial.state]}",
                "row": {**trial.params, "validation_loss": loss, "status": SAID[trial.state]},
                "curves": {
                    LOSS: [(trial.number, loss)],
                    BEST: [*before, *self._best],  # each a piece of one line
                    CURVE: by_epoch,
                },
            },
        )
