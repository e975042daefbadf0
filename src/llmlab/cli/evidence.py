"""Verbs of the method: run experiments, judge hypotheses, record and compare the evidence."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmlab.cli.shared import ExperimentName, Scale, shown
from llmlab.method.errors import LabError
from llmlab.method.json_values import print_json
from llmlab.method.options import Json
from llmlab.method.project import Project
from llmlab.method.wording import counted

if TYPE_CHECKING:
    from llmlab.method.judging.verdicts import Verdict
    from llmlab.method.running.plan import Plan
    from llmlab.method.running.runner import Report

app = typer.Typer()


@app.command()
def run(
    experiment: ExperimentName,
    scale: Scale,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="SEEDS",
            help="Run only these seeds, e.g. 0,1 or 0-4. Tables follow once all seeds are done.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write to DIR/SCALE/EXPERIMENT instead of build/results."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Parallel processes. Default: one per GPU, or as many as the cores can run.",
        ),
    ] = None,
    extend: Annotated[
        bool,
        typer.Option("--extend", help="Reuse the recorded runs and run only the missing ones."),
    ] = False,
    merged: Annotated[
        list[Path] | None,
        typer.Option(
            "--merge",
            metavar="DIR",
            help="Reuse runs that other jobs wrote with --out DIR; may be repeated.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and exit.")] = False,
) -> None:
    """Run an experiment and write its tables, runs.csv and curves.parquet.

    Finished runs are kept: after an interruption, repeat the same command to continue. It does
    nothing once the tables are current.
    """
    from llmlab.method.console import print_plan
    from llmlab.method.declare.catalog import load_experiment
    from llmlab.method.running.added_seeds import take_over
    from llmlab.method.running.plan import make_plan, parse_seeds
    from llmlab.method.running.runner import run_experiment
    from llmlab.method.running.shards import merge as merge_shards

    project = Project.find()
    declared = load_experiment(experiment)
    options = {
        "seeds": None if seeds is None else parse_seeds(seeds),
        "out": out.resolve() if out else None,
        "workers": workers,
    }
    plan = make_plan(declared, scale, project, **options)
    if dry_run:
        print_plan(plan)
        return
    if extend:
        print(f"{counted(take_over(plan, project), 'recorded run')} reused")
    if merged:
        reused = counted(merge_shards(plan, merged), "run")
        print(f"{reused} reused from {counted(len(merged), 'shard')}")
    with _reported(plan) as report:
        manifest = run_experiment(declared, scale, project, **options, report=report)
    if manifest is None:
        print("These seeds are finished; run the other seeds to get the tables.")
    else:
        print(f"{counted(manifest.rows, 'run')}, tables in {shown(plan.folder)}")


@contextmanager
def _reported(plan: "Plan") -> "Iterator[Report]":
    """Show and log the runs of a plan as they finish; Ctrl-C becomes a LabError."""
    from llmlab.method.console import progress
    from llmlab.runs.trials import TrialLog

    log = TrialLog(plan)
    try:
        with progress(f"{plan.experiment.name} {plan.scale}") as show:

            def report(done: int, total: int, event: str) -> None:
                log.note(done, total, event)
                show(done, total, event)

            yield report
    except KeyboardInterrupt:
        raise LabError("interrupted; repeat the command to do the remaining runs.") from None


@app.command()
def status(as_json: Json = False) -> None:
    """Show the state of each experiment at each scale, and what made its results stale.

    *missing*: no results. *running*: a process is computing them. *partial*: some runs are
    finished. *current*: the results match the present code and budget. *stale*: something that
    they depend on has changed.
    """
    from llmlab.method.console import print_status
    from llmlab.method.running.status import states

    found = states(Project.find())
    if as_json:
        print_json(
            {name: {at: asdict(state) for at, state in row.items()} for name, row in found.items()}
        )
    else:
        print_status(found)


@app.command()
def verdicts(
    experiment: Annotated[
        str | None,
        typer.Argument(metavar="EXPERIMENT", help="Only the hypotheses that it tests."),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            "--scale",
            "-s",
            metavar="SCALE",
            help="Judge this scale. Default: the largest that is current.",
        ),
    ] = None,
    as_json: Json = False,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Add new verdicts on recorded results to the journal."),
    ] = False,
) -> None:
    """Judge every registered hypothesis by the available evidence.

    Computes SUPPORTED, REFUTED or UNDECIDED, with effect, interval and n. A hypothesis without
    evidence beyond smoke runs is UNTESTED. The journal, results/verdicts.csv, keeps former
    verdicts and counts the looks at each question; `record` adds its verdicts automatically.
    """
    from llmlab.method.console import print_verdicts
    from llmlab.method.declare.catalog import check_scale
    from llmlab.method.judging.verdicts import judge_all, keep_verdicts

    if keep:
        if experiment is not None or scale is not None or as_json:
            raise LabError("--keep adds all new verdicts; leave out what else you gave.")
        added = counted(keep_verdicts(Project.find()), "new verdict")
        print(f"{added} added to results/verdicts.csv.")
        return
    if scale is not None:
        check_scale(scale)
    found = judge_all(Project.find(), scale)
    if experiment is not None:
        found = _of(experiment, found)
    if as_json:
        print_json([verdict.flat() for verdict in found])
    else:
        print_verdicts(found)


def _of(experiment: str, found: "list[Verdict]") -> "list[Verdict]":
    """The verdicts on what one experiment tests; all were judged, since a family is corrected.

    Raises:
        LabError: there is no such experiment, or nothing that it tests.
    """
    from llmlab.method.declare.catalog import load_experiment

    load_experiment(experiment)  # raises if there is none of that name
    tested = [verdict for verdict in found if verdict.hypothesis.experiment == experiment]
    if not tested:
        raise LabError(
            f"no hypothesis names the experiment {experiment}; add one to "
            "chapters/hypotheses/hypotheses.toml."
        )
    return tested


@app.command()
def record(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(metavar="EXPERIMENT", help="Names of experiments."),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option("--scale", "-s", metavar="SCALE", help="Scale of the results to record."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Record all fresh, current results at every scale.")
    ] = False,
) -> None:
    """Copy fresh results into results/, ready to commit as evidence.

    Records only complete results of the present code.
    """
    from llmlab.method.evidence import recording
    from llmlab.method.judging.verdicts import keep_verdicts

    project = Project.find()
    if everything and not experiments and not scale:
        chosen = recording.recordable(project)
    elif experiments and scale and not everything:
        chosen = [(name, scale) for name in experiments]
    else:
        raise LabError("name experiments and their --scale, or give only --all.")
    for name, at in chosen:
        recording.checked(project, name, at)  # all or none
    for name, at in chosen:
        print(f"recorded {shown(recording.record(project, name, at))}")
    if not chosen:
        print("There are no fresh and current results to record.")
    elif entered := keep_verdicts(project):
        print(f"{counted(entered, 'verdict')} added to results/verdicts.csv")


@app.command()
def recheck(
    within: Annotated[str, typer.Option(metavar="TIME", help="Time limit, e.g. 90s or 5m.")] = "5m",
    scale: Annotated[
        str, typer.Option("--scale", "-s", metavar="SCALE", help="Scale of the recorded runs.")
    ] = "laptop",
    day: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Date that selects the runs, e.g. 2026-11-26. Default: today."
        ),
    ] = None,
) -> None:
    """Rerun one recorded run of each experiment, a different one each day, and compare.

    Exits with an error that names any run that drifted.
    """
    from llmlab.method.console import print_recheck
    from llmlab.method.declare.catalog import check_scale
    from llmlab.method.options import parse_date, parse_seconds
    from llmlab.method.running.recheck import recheck as rerun

    check_scale(scale)
    seconds, chosen = parse_seconds(within), parse_date(day)
    drifted = []
    for found in rerun(Project.find(), seconds, chosen, scale):
        print_recheck(found)
        if found.drifted:
            drifted.append(found)
    if drifted:
        named = "; ".join(f"{one.experiment} {one.run_id}: {one.drifted[0]}" for one in drifted)
        raise LabError(f"{counted(len(drifted), 'run')} drifted: {named}; find out what changed.")


@app.command()
def campaign(
    target: Annotated[
        Path,
        typer.Option("--pack", metavar="FILE", help="Archive to write the finished runs to."),
    ] = Path("pack.tar.gz"),
    scale: Annotated[
        str, typer.Option("--scale", "-s", metavar="SCALE", help="Scale to run at.")
    ] = "gpu",
    within: Annotated[
        str, typer.Option(metavar="TIME", help="Time limit for everything, e.g. 9m or 540s.")
    ] = "9m",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and exit.")] = False,
) -> None:
    """Run as much of the book as fits into a few minutes on a rented machine, and pack it.

    Starts with the runs that help the most verdicts. Stops in time and keeps every finished run.
    At home, `llmlab unpack FILE` adds them to build/results; another campaign continues from there.
    """
    from llmlab.method.console import print_campaign, print_done
    from llmlab.method.declare.catalog import check_scale
    from llmlab.method.evidence.lookup import answered
    from llmlab.method.judging.journal import read_journal, wanted
    from llmlab.method.judging.ledger_files import load_ledger
    from llmlab.method.options import parse_seconds
    from llmlab.method.running.campaign import plan_campaign, run_campaign
    from llmlab.method.running.packing import check_target, pack

    project, seconds, started = Project.find(), parse_seconds(within), time.monotonic()
    check_scale(scale)
    if not dry_run:
        check_target(target)
    known = answered(project, scale)
    waiting = [each for each in load_ledger(project).hypotheses if each.experiment not in known]
    steps = plan_campaign(project, scale, wanted(waiting, read_journal(project)))
    print_campaign(steps, scale, seconds)
    if dry_run:
        return
    left = seconds - (time.monotonic() - started)
    for done in run_campaign(project, scale, steps, left):
        print_done(done)
    packed = pack(project, scale, target)
    for path in packed.files:
        print(f"packed {path} ({path.stat().st_size / 1e6:.1f} MB)")
    if packed.kept:
        size = sum(path.stat().st_size for path in packed.kept) / 1e6
        new = counted(len(packed.kept), "new file")
        print(f"packed {new} of weights into {packed.kept[0].parent} ({size:.1f} MB)")
    if not packed.files:
        print("Nothing was finished, so there is nothing to pack.")


@app.command()
def pack(
    experiment: ExperimentName,
    scale: Annotated[
        str, typer.Option("--scale", "-s", metavar="SCALE", help="Scale of the results to pack.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Archive to write, NAME.tar.gz.")],
) -> None:
    """Pack the results of one experiment into a file for another machine.

    Holds its tables and the files that it keeps, or its finished runs while others are missing.
    """
    from llmlab.method.declare.catalog import load_experiment, scale_budget
    from llmlab.method.running.packing import pack_experiment

    scale_budget(load_experiment(experiment), scale)
    pack_experiment(Project.find(), scale, experiment, out)
    print(f"packed {out} ({out.stat().st_size / 1e6:.1f} MB)")


@app.command()
def unpack(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Archives of `llmlab campaign` or `llmlab pack`."),
    ],
) -> None:
    """Unpack results of another machine, to record them or to go on with their runs.

    Tables and weights are checked against their SHA-256 before anything is written. Weights of a
    campaign are in the folder `kept` beside its pack.
    """
    from llmlab.method.running.packing import unpack as lay_in

    unpacked = [lay_in(Project.find(), source) for source in sources]
    found = [name for one in unpacked for name in one.names]
    tables = sorted({name.rpartition("/")[0] for name in found if name.endswith("manifest.json")})
    print(f"{counted(len(found), 'file')} unpacked into build/results.")
    for scale, experiment in sorted({tuple(n.split("/")[:2]) for u in unpacked for n in u.missing}):
        print(
            f"The weights of {experiment} did not come along: copy the folder kept of the campaign "
            f"beside the pack and unpack again, or make them with `llmlab run {experiment} --scale "
            f"{scale}`."
        )
    for table in tables:
        scale, experiment = table.split("/")[:2]
        print(f"{experiment} is complete: llmlab record {experiment} --scale {scale}")


@app.command("attest")
def attest_(
    experiment: ExperimentName,
    scale: Annotated[
        str, typer.Option("--scale", "-s", metavar="SCALE", help="Scale of both runs.")
    ] = "smoke",
    at: Annotated[
        str | None,
        typer.Option(
            metavar="COMMIT",
            help="Commit at which the evidence was current. Default: where it was recorded.",
        ),
    ] = None,
) -> None:
    """Show that a refactoring leaves the recorded evidence unchanged, bit for bit.

    Runs the experiment on this machine with the code of that commit and with the present code, and
    compares all outputs. The book then calls the evidence current by equivalence.
    """
    from llmlab.method.running.attest import attest

    for folder in attest(Project.find(), experiment, scale, at):
        print(f"{shown(folder)} is current by equivalence")


@app.command()
def reproduce(
    scale: Annotated[
        str, typer.Option("--scale", "-s", metavar="SCALE", help="Scale to compare.")
    ] = "smoke",
    as_json: Json = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with an error if anything drifted.")
    ] = False,
    learn: Annotated[
        bool,
        typer.Option("--learn", help="Add this machine's differences to results/drift.csv."),
    ] = False,
) -> None:
    """Compare fresh results with the recorded ones, metric by metric, within tolerances.

    A tolerance is the largest difference measured on other machines, times a factor. --learn adds
    this machine if its runs and the recorded ones come from the same code.
    """
    from llmlab.method.console import print_reproduction
    from llmlab.method.declare.catalog import catalog, check_scale
    from llmlab.method.evidence import reproduction as rerun
    from llmlab.method.evidence.lookup import fresh_evidence

    check_scale(scale)
    project = Project.find()
    if learn:
        for fresh in filter(None, (fresh_evidence(project, name, scale) for name in catalog())):
            rerun.learn(project, fresh)
    found = rerun.reproduction(project, scale)
    if as_json:
        print_json([asdict(agreement) | {"agrees": agreement.agrees} for agreement in found])
    else:
        print_reproduction(found, scale)
    if strict and (drifted := rerun.drifted_rows(found)):
        raise LabError(
            f"values that differ by more than machines do: {len(drifted)}; rerun on another "
            f"machine, or find out what changed: {'; '.join(drifted[:20])}."
        )
