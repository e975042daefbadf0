"""Search architecture and training together, within one parameter budget.

Optuna logs every trial in a journal beside the results, so a killed search continues where it
stopped; bad trials are pruned early. Live views read `log.jsonl`. The search never gets test
samples.
"""

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from llmlab.market.models.architecture import Architecture, within_budget
from llmlab.market.models.question import PATCHES
from llmlab.market.models.search_log import SearchLog
from llmlab.market.models.training import Run, Training
from llmlab.market.samples.windows import Parts
from llmlab.method.documents import in_one_line
from llmlab.method.errors import LabError
from llmlab.method.files import unwritable, write_with
from llmlab.runs.folder import RunFolder

JOURNAL, TRIALS = "journal.log", "trials.csv"
ASKED = "asked"
"""Key of the search's question in the journal."""
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
WARM_UP_TRIALS, WARM_UP_EPOCHS = 5, 3
"""Trials and epochs before anything is pruned."""

RATES = (3e-4, 3e-2)
DECAYS = (1e-3, 1.0)
DROPOUTS = (0.0, 0.4)
BATCHES = (64, 128, 256)


@dataclass(frozen=True)
class Space:
    """The search space.

    Attributes:
        shapes: one for each patch and depth, by key.
        training: settings that a trial does not draw.
    """

    shapes: Mapping[str, Architecture]
    training: Training

    @classmethod
    def of(cls, base: Architecture, budget: int, training: Training) -> "Space":
        """The most usual shape of a budget for each patch and number of layers.

        Excludes shapes deeper than half their width.

        Raises:
            LabError: no shape has that many parameters; names the nearest.
        """
        found: dict[str, Architecture] = {}
        for patch in PATCHES:
            shapes = _within(replace(base, patch=patch), budget)
            for shape in (one for one in shapes if one.n_layers <= one.d_model / 2):
                found.setdefault(f"{patch} days a token, {shape.n_layers} layers", shape)
        if not found:
            within_budget(base, budget)  # raises, and names the nearest
        return cls(found, training)

    def draw(self, trial: Trial) -> tuple[Architecture, Training]:
        """Draw the settings of one trial."""
        shape = self.shapes[trial.suggest_categorical("shape", sorted(self.shapes))]
        training = replace(
            self.training,
            learning_rate=trial.suggest_float("learning_rate", *RATES, log=True),
            weight_decay=trial.suggest_float("weight_decay", *DECAYS, log=True),
            dropout=trial.suggest_float("dropout", *DROPOUTS),
            batch_size=trial.suggest_categorical("batch_size", BATCHES),
        )
        return shape, training

    def read(self, trial: FrozenTrial) -> tuple[Architecture, Training]:
        """The settings of a finished trial."""
        values = dict(trial.params)
        return self.shapes[values.pop("shape")], replace(self.training, **values)


def search(
    parts: Parts,
    space: Space,
    folder: Path,
    asked: Mapping[str, object],
    n_trials: int,
    seed: int = 0,
    tell: Callable[[FrozenTrial], None] = lambda trial: None,
) -> optuna.Study:
    """Run trials until the journal in `folder` holds `n_trials` finished ones; return the study.

    Each trial draws with its own seed, so a search that was killed and resumed finds the same as an
    uninterrupted one.

    Raises:
        LabError: the folder holds the journal of another search, or a damaged one; or it cannot be
            written to.
    """
    study = _open(folder, asked, space)
    log = SearchLog(RunFolder(folder).log)
    log.start(n_trials, study.trials)
    while n_finished(study) < n_trials:
        number = len(study.trials)
        study.sampler = optuna.samplers.TPESampler(seed=seed * 100_000 + number)
        try:
            _run_trial(study, lambda trial: _try(trial, space, parts, seed))
        except OSError as error:
            raise unwritable(folder / JOURNAL, error) from error
        write_with(folder / TRIALS, _table(study).to_csv)
        log.note(study.trials[-1])
        tell(study.trials[-1])
    return study


def _run_trial(study: optuna.Study, objective: Callable[[Trial], float]) -> None:
    """Run one trial, as `study.optimize` does, which hides an error of writing behind another."""
    trial = study.ask()
    try:
        study.tell(trial, objective(trial))
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)


def _try(trial: Trial, space: Space, parts: Parts, seed: int) -> float:
    """The lowest validation loss of one training run, which is pruned if it lags behind."""
    shape, training = space.draw(trial)
    run = Run(shape, training, parts.without_test(), seed)
    for epoch in run.epochs():
        trial.report(min(one.validation_loss for one in run.done), epoch.epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    trial.set_user_attr("best_epoch", run.trained().best.epoch)
    trial.set_user_attr("n_parameters", shape.n_parameters)
    return run.trained().best.validation_loss


def _open(folder: Path, asked: Mapping[str, object], space: Space) -> optuna.Study:
    """Open the study in a folder, new or resumed; a trial cut short by a kill counts as failed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal = folder / JOURNAL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _cut_last_line(journal)
        study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(journal))),
            study_name="search",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(WARM_UP_TRIALS, WARM_UP_EPOCHS),
        )
        _require_same(study, asked, folder)
        for trial in study.get_trials(states=[TrialState.RUNNING]):
            study.tell(trial.number, state=TrialState.FAIL)
        for trial in study.get_trials(states=FINISHED):
            _check(trial, space)
        _table(study)  # an attribute of another form fails here
    except LabError:
        raise
    except OSError as error:
        raise unwritable(journal, error) from error
    except Exception as error:  # whatever optuna raises for lines of another form
        raise LabError(
            f"{journal} is damaged ({in_one_line(error)}): restore it, or search into another "
            "folder with --out."
        ) from error
    return study


def _cut_last_line(journal: Path) -> None:
    """Remove a last line that a full disk or a kill cut short; optuna would add the next to it."""
    if journal.exists():
        content = journal.read_bytes()
        os.truncate(journal, content.rfind(b"\n") + 1)


def _require_same(study: optuna.Study, asked: Mapping[str, object], folder: Path) -> None:
    """Store the question of a new study; LabError if that of an earlier one differs."""
    before, now = study.user_attrs.get(ASKED), json.loads(json.dumps(asked))
    if before is None:
        study.set_user_attr(ASKED, now)
    elif before != now:
        changed = [name for name in now if before.get(name) != now[name]]
        raise LabError(
            f"{folder} holds a search of another space ({', '.join(changed)} differ); give the "
            "same options to continue it, or another folder with --out."
        )


def _check(trial: FrozenTrial, space: Space) -> None:
    """Raise an error if a finished trial holds what no search writes."""
    _, training = space.read(trial)
    drawn = (training.learning_rate, training.weight_decay, training.dropout, training.batch_size)
    losses = trial.intermediate_values.values()
    if not losses or not all(map(math.isfinite, (*drawn, *losses, trial.value))):
        raise ValueError(f"trial {trial.number} has no loss, or one that is no number")


def n_finished(study: optuna.Study) -> int:
    """Number of trials that no kill cut short."""
    return len(study.get_trials(False, states=FINISHED))


def _table(study: optuna.Study):
    return study.trials_dataframe(("number", "value", "params", "user_attrs", "state", "duration"))


def _within(base: Architecture, budget: int) -> list[Architecture]:
    try:
        return within_budget(base, budget)
    except LabError:
        return []
