"""The generated appendices: data dictionary, provenance, reproduction, tolerances."""

from collections.abc import Iterator

import pandas as pd
import pandera.pandas as pa
from IPython.display import Markdown

from llmlab.book import markup, numbers
from llmlab.book.evidence.origins import hardware
from llmlab.method.declare.catalog import catalog
from llmlab.method.declare.experiment import SCALES, Experiment
from llmlab.method.evidence import lookup as evidence_rules
from llmlab.method.evidence import reproduction as reproductions
from llmlab.method.evidence.drift import read_drifts
from llmlab.method.evidence.lookup import Evidence
from llmlab.method.evidence.reproduction import Agreement
from llmlab.method.evidence.tables import CURVES_SCHEMA, runs_schema
from llmlab.method.levels import label
from llmlab.method.project import Project


def dictionary() -> Markdown:
    """The columns of every experiment's tables."""
    parts = []
    for experiment in catalog().values():
        parts += [
            f"## {experiment.name} {{.unnumbered}}",
            f"`{experiment.name}/runs.csv`. {runs_schema(experiment).description}",
            _columns(runs_schema(experiment)),
            *_curve_names(experiment),
        ]
    parts += [
        "## Curves of all experiments {.unnumbered}",
        f"`*/curves.parquet`. {CURVES_SCHEMA.description}",
        _columns(CURVES_SCHEMA),
    ]
    return markup.join(*parts)


def provenance(project: Project) -> Markdown:
    """Every table, with state and commit; command, machine and checksums are folded below."""
    found = list(_all_evidence(project))
    rows = [
        [
            f"`{evidence.experiment.name}`",
            evidence.scale,
            evidence.origin,
            markup.badge(evidence.state.capitalize(), "stale" if evidence.changes else "current"),
            str(evidence.manifest.rows),
            str(len(evidence.manifest.seeds)),
            _commit(evidence),
            evidence.manifest.finished[:10],
        ]
        for evidence in found
    ]
    header = ["Experiment", "Scale", "Origin", "State", "Runs", "Seeds", "Commit", "Date"]
    return markup.join(
        markup.pipe_table(header, rows, numeric=(4, 5)), *map(_manifest_details, found)
    )


def reproduction(project: Project) -> Markdown:
    """Compare local smoke runs with the recorded ones, metric by metric, within tolerances."""
    agreements = reproductions.reproduction(project)
    if not agreements:
        return Markdown("No experiment has both fresh and recorded smoke runs here.")
    rows = [
        [
            f"`{agreement.experiment}`",
            _agreement_badge(agreement),
            f"{agreement.compared} of {agreement.rows}",
            _worst(agreement),
        ]
        for agreement in agreements
    ]
    header = ["Experiment", "Rerun", "Runs compared", "Largest difference"]
    return markup.join(
        markup.pipe_table(header, rows),
        reproductions.explanation(agreements),
        *map(_drift_details, agreements),
    )


def tolerances(project: Project) -> Markdown:
    """How far each metric of a smoke run may differ between machines before it counts as drift."""
    drifts, rows = read_drifts(project), []
    for name, experiment in catalog().items():
        recorded = evidence_rules.recorded_evidence(project, name, "smoke")
        declared = {metric.name: metric.tolerance for metric in experiment.metrics}
        tolerated = reproductions.tolerances(recorded, drifts) if recorded else declared
        for metric, allowed in tolerated.items():
            measured = drifts.get(("smoke", name, metric))
            seen = numbers.brief(measured.largest) if measured else "not measured"
            rows.append([f"`{name}`", label(metric), seen, f"± {numbers.brief(allowed)}"])
    header = ["Experiment", "Metric", "Seen between machines", "Tolerance"]
    return Markdown(markup.pipe_table(header, rows, numeric=(2, 3)))


def _type(column: pa.Column) -> str:
    kind = column.dtype.type
    if pd.api.types.is_integer_dtype(kind):
        return "integer"
    return "number" if pd.api.types.is_float_dtype(kind) else "text"


def _columns(schema: pa.DataFrameSchema) -> str:
    rows = [
        [
            f"`{name}`",
            _type(column),
            _unit_cell(column.metadata["unit"]),
            column.description,
        ]
        for name, column in schema.columns.items()
    ]
    return markup.pipe_table(["Column", "Type", "Unit", "Meaning"], rows)


def _unit_cell(unit: str) -> str:
    return markup.NOTHING if unit == "1" else unit


def _curve_names(experiment: Experiment) -> Iterator[str]:
    if experiment.curves:
        rows = [
            [f"`{curve.name}`", _unit_cell(curve.unit), curve.description]
            for curve in experiment.curves
        ]
        yield markup.pipe_table(["Curve", "Unit", "Meaning"], rows)


def _all_evidence(project: Project) -> Iterator[Evidence]:
    for name in catalog():
        for scale in reversed(SCALES):
            for find in (evidence_rules.recorded_evidence, evidence_rules.fresh_evidence):
                evidence = find(project, name, scale)
                if evidence is not None:
                    yield evidence


def _commit(evidence: Evidence) -> str:
    manifest = evidence.manifest
    return f"`{manifest.git_commit[:7]}`" + (" + changes" if manifest.git_dirty else "")


def _manifest_details(evidence: Evidence) -> str:
    manifest = evidence.manifest
    libraries = ", ".join(f"{name} {version}" for name, version in manifest.libraries.items())
    changed = f"Changed since: {', '.join(evidence.changes)}." if evidence.changes else ""
    if shown := evidence.equivalence:
        what = ", ".join(shown.changed) or "what it needs"
        changed = (
            f"Current, by equivalence: {what} changed since, and {shown.rows} runs at "
            f"{shown.scale} scale with the code of `{shown.commit_recorded[:7]}` and of "
            f"`{shown.commit_now[:7]}` gave the same results, bit for bit."
        )
    checksums = [f"`{name}` SHA-256 `{digest[:16]}…`" for name, digest in manifest.sha256.items()]
    return markup.details(
        f"{manifest.experiment} at {manifest.scale} scale, {evidence.origin}",
        markup.code_block(manifest.command),
        f"{hardware(manifest.device)}; {manifest.host}. {libraries}.",
        f"Digest of code and budget `{manifest.fingerprint.digest[:16]}…`, {', '.join(checksums)}.",
        changed,
    )


def _agreement_badge(agreement: Agreement) -> str:
    badge = markup.badge("Agrees", "current")
    if not agreement.agrees:
        badge = markup.badge("Drifted", "stale")
    return f"{badge} changed since: {', '.join(agreement.changes)}" if agreement.changes else badge


def _worst(agreement: Agreement) -> str:
    worst = agreement.worst
    if worst is None:
        return "none: equal"
    return (
        f"{label(worst.metric)} {numbers.brief(worst.absolute)} "
        f"(tolerance {numbers.brief(worst.tolerance)}) "
        f"in `{worst.run_id}`"
    )


def _drift_details(agreement: Agreement) -> str:
    lines = [f"`{run_id}` is in only one table" for run_id in agreement.missing]
    lines += [
        f"`{drift.run_id}`: {label(drift.metric)} {drift.fresh} here, {drift.recorded} recorded"
        for drift in agreement.drifted
    ]
    return (
        markup.details(f"What drifted in {agreement.experiment}", markup.bullets(lines))
        if lines
        else ""
    )
