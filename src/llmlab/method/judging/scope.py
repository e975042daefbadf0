"""What a verdict holds for: the model, its base, the data and the hardware of its runs."""

from dataclasses import dataclass

from llmlab.method.evidence.lookup import Evidence, evidence_at
from llmlab.method.project import Project

PARAMETERS = "parameters"
"""The column of a table in which runs say how many parameters their model has."""


@dataclass(frozen=True)
class Scope:
    """What the runs of a verdict were made with.

    Attributes:
        model, data: in words, as the experiment declares them.
        parameters: least and most of the models, those of the base where runs start from one.
        base_seeds: how many base models there were; 0 where runs start from scratch.
        seeds: of the runs.
        device: what computed them.
    """

    model: str
    data: str
    parameters: tuple[int, int] | None
    base_seeds: int
    seeds: int
    device: str


def scope_of(project: Project, evidence: Evidence) -> Scope | None:
    """The scope of the verdicts on some evidence; None if its experiment declares no subject."""
    subject = evidence.experiment.subject
    if subject is None:
        return None
    needed = [evidence_at(project, name, evidence.scale) for name in evidence.experiment.needs]
    bases = [base for base in needed if base is not None]
    return Scope(
        model=subject.model,
        data=subject.data,
        parameters=next(filter(None, map(_parameters, (evidence, *bases))), None),
        base_seeds=sum(len(base.manifest.seeds) for base in bases),
        seeds=len(evidence.manifest.seeds),
        device=evidence.manifest.device,
    )


def _parameters(evidence: Evidence) -> tuple[int, int] | None:
    if PARAMETERS not in evidence.runs:
        return None
    counts = evidence.runs[PARAMETERS].dropna()
    return (int(counts.min()), int(counts.max())) if len(counts) else None
