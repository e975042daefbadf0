"""A cache of judgements: the same table is judged once by the same code.

Judging the whole ledger takes ten seconds, and a dozen chapters show all of it. A judgement depends
on the hypothesis, the design of the experiment, the bytes of its table, and the code and libraries
that judge; a digest of these names its file in `build/judgements`.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

import llmlab.method
from llmlab.method.declare.experiment import Experiment
from llmlab.method.documents import parse_json
from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import Evidence
from llmlab.method.evidence.manifest import verified
from llmlab.method.evidence.tables import RUNS
from llmlab.method.files import read_text, write_file
from llmlab.method.judging.case import Judgement, NoJudgement
from llmlab.method.judging.judgement import judge
from llmlab.method.judging.ledger import Hypothesis

LIBRARIES = ("numpy", "pandas", "scipy")
"""Libraries that affect the digits of a judgement."""

_KINDS = TypeAdapter(Judgement | NoJudgement)


@dataclass(frozen=True)
class Judge:
    """Judges hypotheses, and remembers what it found.

    Attributes:
        folder: where judgements are kept; lost or damaged ones are computed again.
    """

    folder: Path

    def __call__(self, hypothesis: Hypothesis, found: Evidence) -> Judgement | NoJudgement:
        """The judgement on the evidence; errors as `judge`, or if the table is damaged."""
        kept = self.folder / f"{self._key(hypothesis, found)}.json"
        known = _read(kept)
        if known is None:
            known = judge_evidence(hypothesis, found)
            with suppress(LabError):  # a full or read-only disk costs time, no more
                write_file(kept, _json(known))
        return known

    def _key(self, hypothesis: Hypothesis, found: Evidence) -> str:
        table = verified(found.folder, RUNS).read_bytes()
        parts = (code_digest(), repr(hypothesis), _design(found.experiment))
        return hashlib.sha256("\n".join(parts).encode() + table).hexdigest()


def judge_evidence(hypothesis: Hypothesis, found: Evidence) -> Judgement | NoJudgement:
    """The judgement on the evidence, made now; errors as `judge`."""
    return judge(hypothesis, found.experiment, found.runs)


@cache
def code_digest() -> str:
    """The digest of all code of the method and of the libraries it calculates with."""
    folder = Path(llmlab.method.__file__).parent
    sources = (path.read_bytes() for path in sorted(folder.rglob("*.py")))
    libraries = " ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return hashlib.sha256(libraries.encode() + b"".join(sources)).hexdigest()


def _design(experiment: Experiment) -> str:
    """What a judgement takes from the experiment."""
    budgets = dict(experiment.budgets)
    return repr((experiment.axes, experiment.metrics, experiment.selection_metric, budgets))


def _read(path: Path) -> Judgement | NoJudgement | None:
    """What is kept in a file; None if nothing is, or nothing that can be read."""
    if not path.is_file():
        return None
    try:
        return _KINDS.validate_python(parse_json(read_text(path), path))
    except (LabError, ValidationError):
        return None


def _json(judgement: Judgement | NoJudgement) -> str:
    """As JSON; numbers of NumPy as those that they stand for."""
    return json.dumps(asdict(judgement), default=lambda number: number.item())
