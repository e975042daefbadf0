"""What a verdict holds for: the model, its base, the data and the hardware of its runs."""

from dataclasses import dataclass

from llmlab.method.evidence.lookup import Evidence, evidence_at
from llmlab.method.project import Project

PARAMETERS = "parameters"
"""The column with the number of parameters of a run's model."""


@dataclass(frozen=True)
class Scope:
    """The model, data and hardware of a verdict's runs.

    Attributes:
        model, data: in words, as the experiment declares them.
        parameters: smallest and largest parameter count of the models, or of their base models.
        base_seeds: number of base models; 0 if runs start from scratch.
        seeds: number of seeds.
        device: hardware that computed the runs.
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
    bases = [base for base in needed if base is not None and not base.experiment.needs]
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
