"""Fingerprints of what a result depends on: code and data it reaches, budget, needed results."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from llmlab.method.declare.catalog import load_experiment, scale_budget
from llmlab.method.declare.experiment import Budget, Experiment
from llmlab.method.errors import LabError
from llmlab.method.evidence import modules
from llmlab.method.evidence.reach import Reach, reach


@dataclass(frozen=True)
class Fingerprint:
    """What one table depends on; fingerprints that differ only in labels are equal.

    Attributes:
        budget: digest of the conditions, the number of seeds and the names of what is measured.
        settings: digest of the settings and the number of threads.
        needs: digest of the fingerprint of each needed experiment at the same scale, by name.
        reach: digest of all code and files of data that a run reaches; empty in manifests of an
            older form.
        together: whether the runs were computed together, as a `Sweep` allows.
        code: digest of each reached definition by its label; used to name what changed.
        whole: modules that count as a whole, since their use does not show which names are read.
    """

    budget: str
    settings: str
    needs: Mapping[str, str]
    reach: str = ""
    together: bool = False
    code: Mapping[str, str] = field(default_factory=dict, compare=False)
    whole: tuple[str, ...] = field(default=(), compare=False)

    @property
    def digest(self) -> str:
        """Digest of everything; the tables are current as long as it stays the same."""
        return _hash([self.reach, self.budget, self.settings, dict(self.needs)])

    @property
    def run_digest(self) -> str:
        """Digest of what a single run can see; more seeds or conditions do not change it."""
        return _hash([self.reach, self.settings, dict(self.needs)])

    def changes_since(self, other: "Fingerprint") -> tuple[str, ...]:
        """Differences from an older fingerprint: names of definitions, "budget", "needs x"."""
        code = () if self.reach == other.reach else _changed_code(self.code, other)
        same_budget = (self.budget, self.settings) == (other.budget, other.settings)
        needs = [f"needs {name}" for name in _changed(self.needs, other.needs)]
        return (*code, *(() if same_budget else ("budget",)), *needs)


def fingerprint(experiment: Experiment, scale: str, *, together: bool = False) -> Fingerprint:
    """The fingerprint that tables of `experiment` at `scale` would have now.

    Only those parts of the declaration count that a run can see, neither its prose nor the budgets
    of other scales.

    Args:
        together: whether the runs are computed together, which reaches other code.

    Raises:
        LabError: the experiment, or one that it needs, has no budget for the scale; or experiments
            need each other in a cycle.
    """
    return _fingerprint(experiment, scale, together, ())


def fingerprint_like(older: Fingerprint, experiment: Experiment, scale: str) -> Fingerprint:
    """The present fingerprint of tables computed in the same way as those of an older one."""
    return fingerprint(experiment, scale, together=older.together)


def reached_code(experiment: Experiment, *, together: bool = False) -> Reach:
    """The code that the runs of an experiment reach."""
    module = f"llmlab.experiments.{experiment.name}"
    return reach(modules.SOURCE, module, "EXPERIMENT", together=together)


def _fingerprint(
    experiment: Experiment, scale: str, together: bool, above: tuple[str, ...]
) -> Fingerprint:
    """The fingerprint of an experiment; each of those in `above` needs the next one."""
    chain = (*above, experiment.name)
    if experiment.name in above:
        raise LabError(
            f"experiments need each other in a cycle ({' needs '.join(chain)}); break it in one "
            "of their files."
        )
    budget = scale_budget(experiment, scale)
    code = reached_code(experiment, together=together)
    return Fingerprint(
        reach=code.digest,
        budget=_budget_digest(experiment, budget),
        settings=_hash([dict(budget.settings), budget.threads]),
        needs={
            name: _fingerprint(load_experiment(name), scale, together, chain).digest
            for name in experiment.needs
        },
        together=together,
        code=code.code,
        whole=code.whole,
    )


def _budget_digest(experiment: Experiment, budget: Budget) -> str:
    conditions = [[name, list(levels)] for name, levels in budget.conditions.items()]
    measured = [metric.name for metric in (*experiment.metrics, *experiment.curves)]
    return _hash([conditions, budget.seeds, measured])


def _changed_code(new: Mapping[str, str], other: Fingerprint) -> tuple[str, ...]:
    """The bare names of definitions that were changed, added or removed.

    A definition that only moved or was renamed does not count as changed.
    """
    if not other.reach:
        return ("the form of fingerprints",)
    now, before = _by_bare_name(new), _by_bare_name(other.code)
    changed = _changed(now, before)
    came = {tuple(now[name]) for name in changed if name not in before}
    went = {tuple(before[name]) for name in changed if name not in now}
    renamed = came & went
    said = (name for name in changed if tuple(now.get(name) or before[name]) not in renamed)
    return tuple(said) or ("the way from one definition to another",)


def _by_bare_name(code: Mapping[str, str]) -> dict[str, list[str]]:
    """The digests of definitions by name, without their modules, and of files by their names."""
    found: dict[str, list[str]] = {}
    for label, digest in code.items():
        name = PurePath(label).name if "/" in label else label.rpartition(".")[2]
        found.setdefault(name, []).append(digest)
    return {name: sorted(digests) for name, digests in found.items()}


def _changed(new: Mapping[str, object], old: Mapping[str, object]) -> list[str]:
    return sorted(name for name in {*new, *old} if new.get(name) != old.get(name))


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
