"""Where a number comes from, in words: experiment, scale, commit, date, machines."""

import re
from collections.abc import Iterable

from llmlab.method.evidence.lookup import Evidence
from llmlab.method.wording import counted


def provenance(evidence: Evidence) -> str:
    """The provenance of a number: experiment, scale, commit, date, and changes since then."""
    manifest = evidence.manifest
    commit = manifest.git_commit[:7] + (" with uncommitted changes" if manifest.git_dirty else "")
    changed = "" if evidence.state == "current" else f"; {evidence.state}"
    if evidence.changes:
        changed = f"; changed since: {', '.join(evidence.changes)}"
    return (
        f"{evidence.experiment.name} at {evidence.scale} scale, {evidence.origin}, "
        f"commit {commit}, {manifest.finished[:10]}{changed}"
    )


def hardware(device: str) -> str:
    """The machines of a table: a GPU, or cores, such as "2 cores of AMD EPYC", each once."""
    machines = dict.fromkeys(map(_machine, device.split(" + ")))
    return " and ".join(f"{cores}{model}" for cores, model in machines)


def processors(devices: Iterable[str]) -> str:
    """The kinds of GPU or processor among some tables' machines."""
    machines = (_machine(part) for device in devices for part in device.split(" + "))
    return ", ".join(sorted({model for _, model in machines}))


def _machine(part: str) -> tuple[str, str]:
    """The number of cores in words, empty for a GPU, and the model."""
    match = re.fullmatch(r"(?:(\d+) x )?(.+?)(?: Processor)?", part.replace("(R)", ""))
    count, model = match.groups()
    if count is None:
        return "", model
    cores = counted(int(count), "core").replace(" ", "\N{NO-BREAK SPACE}")
    return f"{cores} of ", model
