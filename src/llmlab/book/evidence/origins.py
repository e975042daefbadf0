"""Where a number comes from, in words: experiment, scale, commit, date, machines."""

import re
from collections.abc import Iterable, Sequence

from llmlab.method.documents import listed
from llmlab.method.evidence.lookup import Evidence
from llmlab.method.wording import counted


def provenance(evidence: Evidence) -> str:
    """The provenance of a number: experiment, scale, commit, date, and changes since then."""
    manifest = evidence.manifest
    commit = manifest.git_commit[:7] + (" with uncommitted changes" if manifest.git_dirty else "")
    changed = "" if evidence.state == "current" else f"; {evidence.state}"
    if evidence.changes:
        changed = f"; changed since: {listed(evidence.changes, 4)}"
    return (
        f"{evidence.experiment.name} at {evidence.scale} scale, {evidence.origin}, "
        f"commit {commit}, {manifest.finished[:10]}{changed}"
    )


def hardware(device: str) -> str:
    """The machines of a table: a GPU, or cores, such as "1 or 2 cores of AMD EPYC", each once."""
    counts: dict[str, list[int]] = {}
    for count, model in dict.fromkeys(map(_machine, device.split(" + "))):
        counts.setdefault(model, []).append(count)
    return " and ".join(f"{_cores(own)}{model}" for model, own in counts.items())


def processors(devices: Iterable[str]) -> str:
    """The kinds of GPU or processor among some tables' machines."""
    machines = (_machine(part) for device in devices for part in device.split(" + "))
    return ", ".join(sorted({model for _, model in machines}))


def _machine(part: str) -> tuple[int, str]:
    """The number of cores, 0 for a GPU, and the model."""
    match = re.fullmatch(r"(?:(\d+) x )?(.+?)(?: Processor)?", part.replace("(R)", ""))
    count, model = match.groups()
    return int(count or 0), model


def _cores(counts: Sequence[int]) -> str:
    """The numbers of cores of one model in words; empty for a GPU."""
    if not any(counts):
        return ""
    *fewer, most = sorted(counts)
    cores = counted(most, "core").replace(" ", "\N{NO-BREAK SPACE}")
    return f"{' or '.join([*map(str, fewer), cores])} of "
