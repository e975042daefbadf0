"""The command line: one verb per command, only wiring.

Each command imports its own dependencies, so that none loads what only another one needs.
"""

import errno
import io
import json
import os
import sys
import time
from collections import deque
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, NoReturn

import typer

from llmlab.finetune.command.options import FinetuneOptions
from llmlab.gpt.options import TrainOptions
from llmlab.method.documents import escaped
from llmlab.method.errors import LabError
from llmlab.method.json_values import json_value
from llmlab.method.options import LARGEST_SEED, expand_options
from llmlab.method.project import Project
from llmlab.runs.shell import command

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="A lab book on training language models: run experiments, judge hypotheses, build a book.",
)
new = typer.Typer(no_args_is_help=True, help="Start something new from a template.")
app.add_typer(new, name="new")

ExperimentName = Annotated[
    str, typer.Argument(metavar="EXPERIMENT", help="Name of an experiment; see `llmlab status`.")
]
Scale = Annotated[
    str,
    typer.Option("--scale", "-s", metavar="SCALE", help="Budget to spend: smoke, laptop or gpu."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for another program to read.")]


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
            "--merge", metavar="DIR", help="Reuse runs that other jobs wrote with --out DIR."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and exit.")] = False,
) -> None:
    """Run an experiment and write its tables, runs.csv and curves.parquet.

    Finished runs are kept: after an interruption, repeat the same command to continue. It does
    nothing once the tables are current.
    """
    from llmlab.method.console import print_plan, progress
    from llmlab.method.declare.catalog import load_experiment
    from llmlab.method.running.added_seeds import take_over
    from llmlab.method.running.plan import make_plan, parse_seeds
    from llmlab.method.running.runner import run_experiment
    from llmlab.method.running.shards import merge as merge_shards
    from llmlab.runs.trials import TrialLog

    project = Project.find()
    declared = load_experiment(experiment)
    options = {
        "seeds": parse_seeds(seeds) if seeds else None,
        "out": out.resolve() if out else None,
        "workers": workers,
    }
    plan = make_plan(declared, scale, project, **options)
    if dry_run:
        print_plan(plan)
        return
    if extend:
        print(f"{take_over(plan, project)} recorded runs reused")
    if merged:
        print(f"{merge_shards(plan, merged)} runs reused from {len(merged)} shards")
    log = TrialLog(plan)
    try:
        with progress(f"{experiment} {scale}") as show:

            def report(done: int, total: int, event: str) -> None:
                log.note(done, total, event)
                show(done, total, event)

            manifest = run_experiment(declared, scale, project, **options, report=report)
    except KeyboardInterrupt:
        raise LabError("interrupted; repeat the command to do the remaining runs.") from None
    if manifest is None:
        print("These seeds are finished; run the other seeds to get the tables.")
    else:
        print(f"{manifest.rows} runs, tables in {_shown(plan.folder)}")


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
        _print_json(
            {name: {at: asdict(state) for at, state in row.items()} for name, row in found.items()}
        )
    else:
        print_status(found)


@app.command()
def verdicts(
    scale: Annotated[
        str | None,
        typer.Option(
            "--scale", "-s", metavar="SCALE", help="Judge this scale. Default: the largest."
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
        print(f"{keep_verdicts(Project.find())} new verdicts added to results/verdicts.csv.")
        return
    if scale:
        check_scale(scale)
    found = judge_all(Project.find(), scale)
    if as_json:
        _print_json([verdict.flat() for verdict in found])
    else:
        print_verdicts(found)


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
    if everything == bool(experiments or scale):
        raise LabError("name experiments and a --scale, or give only --all.")
    if not everything and not (experiments and scale):
        raise LabError("name both the experiments and their --scale.")
    chosen = recording.recordable(project) if everything else [(n, scale) for n in experiments]
    for name, at in chosen:
        print(f"recorded {_shown(recording.record(project, name, at))}")
    if not chosen:
        print("There are no fresh and current results to record.")
    elif entered := keep_verdicts(project):
        print(f"{entered} verdicts added to results/verdicts.csv")


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
    found = [print_recheck(each) for each in rerun(Project.find(), seconds, chosen, scale)]
    drifted = [each for each in found if each.drifted]
    if drifted:
        named = "; ".join(f"{one.experiment} {one.run_id}: {one.drifted[0]}" for one in drifted)
        raise LabError(f"{len(drifted)} runs drifted: {named}; find out what changed.")


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
    from llmlab.method.judging.journal import read_journal, wanted
    from llmlab.method.judging.ledger import load_ledger
    from llmlab.method.options import parse_seconds
    from llmlab.method.running.campaign import plan_campaign, run_campaign
    from llmlab.method.running.packing import pack

    project, seconds, started = Project.find(), parse_seconds(within), time.monotonic()
    values = wanted(load_ledger(project).hypotheses, read_journal(project), scale)
    steps = plan_campaign(project, scale, values)
    print_campaign(steps, scale, seconds)
    if dry_run:
        return
    left = seconds - (time.monotonic() - started)
    for done in run_campaign(project, scale, steps, left):
        print_done(done)
    written = pack(project, scale, target)
    for path in written:
        print(f"packed {path} ({path.stat().st_size / 1e6:.1f} MB)")
    if not written:
        print("Nothing was finished, so there is nothing to pack.")


@app.command()
def pack(
    experiment: ExperimentName,
    scale: Scale,
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

    Tables and weights are checked against the SHA-256 in their manifest before anything is written.
    """
    from llmlab.method.running.packing import unpack as lay_in

    found = [name for source in sources for name in lay_in(Project.find(), source)]
    tables = sorted({name.rpartition("/")[0] for name in found if name.endswith("manifest.json")})
    print(f"{len(found)} files unpacked into build/results.")
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
        print(f"{_shown(folder)} is current by equivalence")


@app.command("restamp")
def restamp_() -> None:
    """Convert recorded fingerprints in an older format, using the commits that they name.

    Each result keeps its commit, dates, rows and looks. Lists each result that cannot be converted.
    """
    from llmlab.method.evidence.restamp import restamp

    for found in restamp(Project.find()):
        print(f"{found.scale} {found.experiment}: {found.reason or 'restamped'}")


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
        _print_json([asdict(agreement) | {"agrees": agreement.agrees} for agreement in found])
    else:
        print_reproduction(found, scale)
    if strict and (drifted := rerun.drifted_rows(found)):
        raise LabError(
            f"{len(drifted)} values differ by more than machines do; rerun on another machine, or "
            f"find out what changed: {'; '.join(drifted[:20])}."
        )


@app.command()
@expand_options
def train(
    options: TrainOptions,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(min=1, help="Steps between checkpoints. Default: only the final state."),
    ] = None,
    keep: Annotated[int, typer.Option(min=1, help="Number of newest checkpoints to keep.")] = 3,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume from the newest checkpoint of the run.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the run. Default: runs/CONFIG-CORPUS-SEED."),
    ] = None,
) -> None:
    """Train a GPT from scratch on a text.

    Writes a tokenizer, a log of every step and the final state to the run's folder; Ctrl-C saves
    the state, too. `llmlab generate` and `llmlab inspect` take the folder. To train on several
    processes or GPUs, use `torchrun --standalone --nproc-per-node 2 -m llmlab train`.
    """
    from llmlab.gpt.console import Meter, show
    from llmlab.gpt.distributed import joined
    from llmlab.gpt.opening import describe, open_session
    from llmlab.gpt.speed import keep_freed_memory

    keep_freed_memory()
    saving = {"checkpoint_every": checkpoint_every, "keep": keep}
    try:
        with (
            joined() as workers,
            open_session(options, out, workers, **saving, resume=resume) as session,
        ):
            events = session.events(workers, resume=resume)
            if not workers.is_first:
                deque(events, maxlen=0)
                return
            print(describe(session, options.corpus), flush=True)
            meter = Meter(session.recipe, workers.device, workers.world)
            show(events, session.folder.name, session.recipe, meter)
    except KeyboardInterrupt:  # outside the loop of steps, which handles it itself
        raise LabError(
            "interrupted; if there is a checkpoint, --resume continues from the newest."
        ) from None
    generate_it, inspect_it = (
        command("llmlab", v, session.folder) for v in ("generate", "inspect")
    )
    print(f"Next: {generate_it} or {inspect_it}.")


@app.command()
@expand_options
def finetune(
    options: FinetuneOptions,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the run. Default: runs/BASE-DATA-METHOD."),
    ] = None,
) -> None:
    """Teach a trained model something new: full fine-tuning, LoRA or QLoRA.

    Shows memory use, what each step does, and what was learned and forgotten. Writes the adapter
    (in PEFT's format) or the model, a log of every step and a report to the run's folder.
    """
    from llmlab.experiments.base_model import micro_folders
    from llmlab.finetune.command.console import show
    from llmlab.finetune.command.descriptions import describe
    from llmlab.finetune.command.opening import open_session
    from llmlab.gpt.speed import keep_freed_memory
    from llmlab.gpt.training import best_device

    keep_freed_memory()
    try:
        with open_session(options, out, best_device(), micro_folders) as session:
            print(describe(session), flush=True)
            show(session.events(), session)
    except KeyboardInterrupt:  # before the first step, or pressed twice
        raise LabError("interrupted before the run was complete; start it again.") from None


@app.command()
def generate(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="Folder of a run, checkpoint or adapter, micro, hf:ID or hf:PATH."
        ),
    ],
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "\n",
    tokens: Annotated[int, typer.Option(min=1, help="Number of tokens to generate.")] = 200,
    temperature: Annotated[
        float,
        typer.Option(help="0 takes the likeliest token; 1 samples the model's distribution."),
    ] = 0.8,
    top_k: Annotated[
        int | None, typer.Option(help="Sample from only the k likeliest tokens.")
    ] = None,
    top_p: Annotated[
        float, typer.Option(help="Sample from the likeliest tokens with this total probability.")
    ] = 1.0,
    seed: Annotated[
        int,
        typer.Option(min=0, max=LARGEST_SEED, help="Random seed; the same seed, the same text."),
    ] = 0,
    cache: Annotated[
        bool, typer.Option(help="Cache keys and values; slower without, with the same text.")
    ] = True,
    base: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Base of the adapter, if it has moved."),
    ] = None,
) -> None:
    """Generate text with a trained model, token by token."""
    from llmlab.experiments.base_model import micro_folders
    from llmlab.finetune.command.generation import generate_text
    from llmlab.finetune.model.catalog import weights_folder
    from llmlab.gpt.generation import SamplingConfig

    config = SamplingConfig(temperature, top_k, top_p, seed)
    model = str(weights_folder(Path(run)))
    pieces = generate_text(
        model, prompt, tokens, config, cached=cache, base_name=base, micro=micro_folders
    )
    sys.stdout.write(prompt)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


@app.command()
def merge(
    adapter: Annotated[
        Path, typer.Argument(metavar="ADAPTER", help="Folder of an adapter, or of its run.")
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="New folder of the merged model.")],
    base: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Base of the adapter, if it has moved."),
    ] = None,
) -> None:
    """Merge an adapter into the weights of its base, and save them in the base's own format.

    `llmlab generate` and `llmlab finetune --base` take the folder.
    """
    from llmlab.experiments.base_model import micro_folders
    from llmlab.finetune.model.catalog import weights_folder
    from llmlab.finetune.model.merging import write_merged

    origin = write_merged(weights_folder(adapter), out, base, micro_folders)
    if origin.four_bit:
        print("The base model was in 4 bits: the adapter is merged into its dequantised weights.")
    generate_it = command("llmlab", "generate", out)
    print(f"Next: {generate_it} or {command('llmlab', 'finetune', '--base', out)}.")


@app.command()
def inspect(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run or checkpoint.")],
    text: Annotated[
        list[str] | None, typer.Option(help="Text to run the model on; may be repeated.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Page to write. Default: RUN/inspect.html.")
    ] = None,
) -> None:
    """Look inside a trained model: its attention, its guess in each layer, its activations.

    Writes a page that works offline in any browser. If the run kept several checkpoints, the page
    shows them.
    """
    from llmlab.book.views.widgets import standalone_page
    from llmlab.gpt.run_views import look_into
    from llmlab.method.files import write_file

    views = look_into(run, text or [])
    page = out or run / "inspect.html"
    write_file(page, standalone_page(f"Inside {run.resolve().name}", views))
    print(f"Open {_shown(page.resolve())} in a browser.")


@app.command()
def curves(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="log.jsonl, trainer_log.jsonl, curves.parquet, .csv, trainer_state.json, "
            "TensorBoard's events.out.tfevents.*, or a folder of one or more runs.",
        ),
    ],
    only: Annotated[
        str, typer.Option("--run", metavar="TEXT", help="Only runs whose name contains this text.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Diagnose a run from its loss curves: what happened, at which step, on what evidence.

    Finds losses and gradient norms that are NaN or infinite, plateaus, spikes, divergence, a rise
    at the start and overfitting. Extrapolates a loss that is still falling. Given training and
    validation loss, names the likely cause.
    """
    from llmlab.finetune.curves.readers import read_runs
    from llmlab.finetune.curves.report import has_loss, print_reports, report

    runs = [run for file in files for run in read_runs(file)]
    chosen = [run for run in runs if only in run.name]
    if not chosen:
        raise LabError(
            f"no run has '{only}' in its name; correct --run: one run is named {runs[0].name}."
        )
    reports = [report(run) for run in chosen if has_loss(run)] or [report(chosen[0])]
    for run in chosen:
        if not has_loss(run):
            print(f"skipped: {run.name} (no loss among its curves)", file=sys.stderr)
    if as_json:
        _print_json(reports)
    else:
        print_reports(reports)


@app.command("export")
def export_(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run or checkpoint.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write.")],
) -> None:
    """Export a trained model as a folder that Hugging Face `transformers` loads."""
    from llmlab.gpt.exchange import export_run

    export_run(run, folder)
    print(f"Load it with transformers.AutoModelForCausalLM.from_pretrained({str(folder)!r}).")


@app.command("import")
def import_(
    source: Annotated[
        str, typer.Argument(metavar="ID|DIR", help="A GPT-2 on the Hugging Face hub, or a folder.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the run. Default: runs/NAME.")
    ] = None,
) -> None:
    """Import a GPT-2 from Hugging Face, to generate with it or to look inside it."""
    from llmlab.gpt.exchange import import_run

    folder = out or Path("runs") / Path(source).name
    import_run(source, folder)
    generate_it, inspect_it = (command("llmlab", v, folder) for v in ("generate", "inspect"))
    print(f"Next: {generate_it} or {inspect_it}.")


@new.command("experiment")
def new_experiment_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, such as learning_rate.")],
) -> None:
    """Write a script, a chapter, ledger entries and a test for a new experiment.

    All of them run as generated; edit them in the printed order.
    """
    from llmlab.method.scaffold.experiment import new_experiment

    for path in new_experiment(Project.find(), name):
        print(_shown(path))
    print(f"Next: edit the files from top to bottom, then `llmlab run {name} --scale smoke`.")


@new.command("concept")
def new_concept_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, such as loss_landscapes.")],
) -> None:
    """Write the chapter of a new concept: a picture, a formula, live code, and its experiments."""
    from llmlab.method.scaffold.concept import new_concept

    for path in new_concept(Project.find(), name):
        print(_shown(path))
    print(f"Next: edit the chapter, then `llmlab book execute concepts/{name}`.")


@new.command("lab")
def new_lab_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, such as vision.")],
) -> None:
    """Write a package for a new lab: modules, tests, import rules, a track, a part of the book.

    It includes one experiment that runs as generated; edit the files in the printed order.
    """
    from llmlab.method.scaffold.lab import new_lab

    for path in new_lab(Project.find(), name):
        print(_shown(path))
    print(
        "Next: edit the files from top to bottom, add the lab to the tables of CONTRIBUTING.md "
        f"and README.md, then `llmlab run {name}_learning_rate --scale smoke`."
    )


PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Settings of a command whose options are defined in its own package."""


@app.command(add_help_option=False, context_settings=PASSED_ON)
def predict(context: typer.Context) -> None:
    """Predict a large training run: step time, memory, best layout; see `llmlab predict --help`."""
    from llmlab.cluster.predict_command import app as command

    command(context.args, prog_name="llmlab predict")


@app.command(add_help_option=False, context_settings=PASSED_ON)
def simulate(context: typer.Context) -> None:
    """Simulate a training run on a large cluster in the terminal; see `llmlab simulate --help`."""
    from llmlab.cluster.simulate_command import app as command

    command(context.args, prog_name="llmlab simulate")


@app.command(add_help_option=False, context_settings=PASSED_ON)
def watch(context: typer.Context) -> None:
    """Watch runs live in a browser, start and steer them; see `llmlab watch --help`."""
    _watch().app(context.args, prog_name="llmlab watch")


@app.command(add_help_option=False, context_settings=PASSED_ON)
def book(context: typer.Context) -> None:
    """Execute chapters; render, serve and check the book; see `llmlab book --help`."""
    book_commands()(context.args, prog_name="llmlab book")


@cache
def book_commands() -> typer.Typer:
    """The commands of `llmlab book`; `serve` is added here since it shows both books and runs."""
    from llmlab.book.commands import app as commands

    commands.command()(serve)
    return commands


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine.")] = 8000,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Neither start nor steer runs.")
    ] = False,
) -> None:
    """Serve the rendered books and all runs to this machine until interrupted."""
    site = Project.find().site
    if not (site / "dev" / "index.html").is_file():
        raise LabError(f"{site} holds no rendered book; run `llmlab book render` first.")
    server = _watch()
    server.serve(server.usual_runs(), port, path="/book/dev/index.html", read_only=read_only)


def _watch() -> ModuleType:
    """The module of the server; LabError if its optional libraries are not installed."""
    try:
        from llmlab.watch import command
    except ModuleNotFoundError as error:
        raise LabError(
            f"{error.name} is not installed: run `pip install 'llmlab[watch]'` or `make`."
        ) from None
    return command


@app.command(add_help_option=False, context_settings=PASSED_ON)
def market(context: typer.Context) -> None:
    """Study scaling laws on market data; see `llmlab market --help`."""
    from llmlab.market.commands import app as commands

    commands(context.args, prog_name="llmlab market")


@app.command(add_help_option=False, context_settings=PASSED_ON)
def fit(context: typer.Context) -> None:
    """Fit a scaling law to a table of runs, with intervals; see `llmlab fit --help`."""
    from llmlab.market.commands import fit_app as commands

    commands(context.args, prog_name="llmlab fit")


@app.command(add_help_option=False, context_settings=PASSED_ON)
def sleep(context: typer.Context) -> None:
    """Repair small programs by day, learn from them by night; see `llmlab sleep --help`."""
    from llmlab.sleep.command.app import app as commands

    commands(context.args, prog_name="llmlab sleep")


def main() -> None:
    """Run the command line; a LabError becomes one line on standard error."""
    _open_closed_streams()
    _escape_what_the_terminal_lacks()
    try:
        try:
            app(prog_name="llmlab")
        finally:
            sys.stdout.flush()
    except LabError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno in UNUSABLE and error.filename is not None:
            _fail(f"cannot use {error.filename}: {error.strerror}; name another path.")
        if error.errno == errno.ENOENT and error.filename is None:  # from os.getcwd
            _fail("the working folder was removed: change to another one.")
        if error.errno not in (errno.EPIPE, *FULL):
            raise
        with open(os.devnull, "wb") as nowhere:  # flushing the rest of the output would fail again
            os.dup2(nowhere.fileno(), 1)
        if error.errno == errno.EPIPE:  # the reader has closed the pipe
            sys.exit(1)
        place = error.filename or "the output"
        _fail(f"cannot write {place}: {error.strerror}; free some space, or write elsewhere.")


UNUSABLE = (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of a path that no command can go on with."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a full disk or an exceeded quota or limit."""


def _fail(sentence: str) -> NoReturn:
    if os.environ.get("RANK", "0") == "0":  # only the first of several processes prints
        print(f"error: {escaped(sentence)}", file=sys.stderr)
    sys.exit(1)


def _open_closed_streams() -> None:
    """Put the null device where the caller closed a standard stream.

    A file opened later would take its place, and errors would go to standard output.
    """
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _escape_what_the_terminal_lacks() -> None:
    r"""Print escapes such as \u2026 for characters that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _print_json(value: object) -> None:
    """Print JSON; dates as ISO text, NaN and infinities as null."""
    print(json.dumps(json_value(value), indent=2))


def _shown(path: Path) -> Path:
    """The path relative to the working directory, if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
