"""The command line: one verb per command, nothing but wiring.

Imports inside the commands keep each of them from loading what only another one needs.
"""

import json
import math
import os
import sys
from collections import deque
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated

import typer

from llmlab.method.errors import LabError
from llmlab.method.project import Project

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="A lab book on training language models: run experiments, judge hypotheses, make a book.",
)
new = typer.Typer(no_args_is_help=True, help="Start something new from a template.")
app.add_typer(new, name="new")

ExperimentName = Annotated[
    str, typer.Argument(metavar="EXPERIMENT", help="Name of an experiment, see `llmlab status`.")
]
Scale = Annotated[
    str,
    typer.Option("--scale", "-s", metavar="SCALE", help="Budget to spend: smoke, laptop or gpu."),
]
MOST_SEED = 2**63 - 1
Json = Annotated[bool, typer.Option("--json", help="Print JSON for another program to read.")]


@app.command()
def run(
    experiment: ExperimentName,
    scale: Scale,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="SEEDS",
            help="Run only these seeds, e.g. 0,1 or 0-4. Tables are made once all seeds are there.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write to DIR/SCALE/EXPERIMENT, not to build/results."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes side by side. Default: one per GPU, or as many as the cores carry.",
        ),
    ] = None,
    extend: Annotated[
        bool,
        typer.Option("--extend", help="Take over the recorded runs, and run only what they lack."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")
    ] = False,
) -> None:
    """Run an experiment and make its tables, runs.csv and curves.parquet.

    Finished runs are kept, so the same command carries on after an interruption at any moment,
    and does nothing once the tables are current.
    """
    from llmlab.method.catalog import load_experiment
    from llmlab.method.console import print_plan, progress
    from llmlab.method.extension import take_over
    from llmlab.method.plan import make_plan, parse_seeds
    from llmlab.method.runner import run_experiment

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
        print(f"{take_over(plan, project)} recorded runs taken over")
    try:
        with progress(f"{experiment} {scale}") as report:
            manifest = run_experiment(declared, scale, project, **options, report=report)
    except KeyboardInterrupt:
        raise LabError("interrupted; the same command carries on with the runs left.") from None
    if manifest is None:
        print("These seeds are finished; run the others, too, to get the tables.")
    else:
        print(f"{manifest.rows} runs, tables in {_shown(plan.folder)}")


@app.command()
def status(as_json: Json = False) -> None:
    """Show how far each experiment is at each scale, and what made its results stale.

    *missing*: no results. *running*: a process computes them now. *partial*: some runs are
    finished. *current*: results of the present code and budget. *stale*: something that they
    depend on changed since.
    """
    from llmlab.method.console import print_status
    from llmlab.method.evidence import states

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
) -> None:
    """Judge every registered hypothesis by the evidence that there is.

    SUPPORTED, REFUTED and UNDECIDED are computed, with effect, interval and n. Without evidence
    beyond smoke runs a hypothesis is UNTESTED.
    """
    from llmlab.method.catalog import check_scale
    from llmlab.method.console import print_verdicts
    from llmlab.method.verdicts import judge_all

    if scale:
        check_scale(scale)
    found = judge_all(Project.find(), scale)
    if as_json:
        _print_json(found)
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
        bool, typer.Option("--all", help="Record all fresh and current results, at every scale.")
    ] = False,
) -> None:
    """Copy fresh results into results/, to be committed as evidence.

    Only complete results of the present code are recorded.
    """
    from llmlab.method import record as recording

    project = Project.find()
    if everything == bool(experiments or scale):
        raise LabError("name experiments and a --scale, or give --all alone.")
    if not everything and not (experiments and scale):
        raise LabError("name both, the experiments and their --scale.")
    chosen = recording.recordable(project) if everything else [(n, scale) for n in experiments]
    for name, at in chosen:
        print(f"recorded {_shown(recording.record(project, name, at))}")
    if not chosen:
        print("There are no fresh and current results to record.")


@app.command()
def reproduce(
    scale: Annotated[
        str, typer.Option("--scale", "-s", metavar="SCALE", help="Scale to compare.")
    ] = "smoke",
    as_json: Json = False,
) -> None:
    """Compare fresh results with the recorded ones, metric by metric, within the tolerances."""
    from llmlab.method.catalog import check_scale
    from llmlab.method.console import print_reproduction
    from llmlab.method.reproduction import reproduction

    check_scale(scale)
    found = reproduction(Project.find(), scale)
    if as_json:
        _print_json([asdict(agreement) | {"agrees": agreement.agrees} for agreement in found])
    else:
        print_reproduction(found, scale)


@app.command()
def train(
    config: Annotated[
        str, typer.Option(metavar="NAME", help="Size: micro, nano, small or medium.")
    ] = "micro",
    corpus: Annotated[
        str,
        typer.Option(
            metavar="NAME|PATH", help="stdlib, verdict, tinyshakespeare, or a file or folder."
        ),
    ] = "stdlib",
    epochs: Annotated[float, typer.Option(min=0, help="Times to read the text.")] = 1.0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps, in place of --epochs.")
    ] = None,
    tokenizer: Annotated[
        str,
        typer.Option(
            metavar="KIND|PATH",
            help="bpe (trained on the text), characters, gpt2, or a tokenizer's file.",
        ),
    ] = "bpe",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Sequences of a step. Default: the configuration's.")
    ] = None,
    context: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a sequence. Default: the configuration's.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak rate. Default: the configuration's.")
    ] = None,
    dropout: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of activations dropped while training.")
    ] = 0.0,
    validation_share: Annotated[
        float, typer.Option(help="Share of the text, at its end, that validates.")
    ] = 0.1,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_SEED, help="Fixes the weights, the order of the text and dropout."
        ),
    ] = 0,
    precision: Annotated[
        str, typer.Option(help="float32, bfloat16, or auto: bfloat16 where the hardware has it.")
    ] = "auto",
    compiled: Annotated[
        bool, typer.Option("--compile", help="Translate the model with torch.compile first.")
    ] = False,
    accumulate: Annotated[
        int, typer.Option(min=1, help="Parts that a batch is computed in, to save memory.")
    ] = 1,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(min=1, help="Steps between checkpoints. Default: the last state alone."),
    ] = None,
    keep: Annotated[int, typer.Option(min=1, help="Newest checkpoints that stay.")] = 3,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest checkpoint of the run.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the run. Default: runs/CONFIG-CORPUS."),
    ] = None,
) -> None:
    """Train a GPT from scratch on a text.

    The run's folder gets its tokenizer, a log of every step, and the last state; Ctrl-C keeps it,
    too. `llmlab generate` and `llmlab inspect` take the folder. Several processes or GPUs train
    together by `torchrun --standalone --nproc-per-node 2 -m llmlab train`.
    """
    from llmlab.gpt.console import Meter, show
    from llmlab.gpt.distributed import joined
    from llmlab.gpt.options import Options, describe, open_session
    from llmlab.gpt.speed import keep_freed_memory

    keep_freed_memory()
    options = Options(
        config=config,
        corpus=corpus,
        tokenizer=tokenizer,
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        context=context,
        learning_rate=learning_rate,
        dropout=dropout,
        validation_share=validation_share,
        seed=seed,
        precision=precision,
        compiled=compiled,
        accumulate=accumulate,
    )
    try:
        with joined() as workers:
            session = open_session(options, out, checkpoint_every, keep, workers.device)
            events = session.events(workers, resume=resume)
            if not workers.is_first:
                deque(events, maxlen=0)
                return
            print(describe(session), flush=True)
            meter = Meter(session.recipe, workers.device, workers.world)
            show(events, session.folder.name, session.recipe, meter)
    except KeyboardInterrupt:  # not between two steps, where it is waited for
        raise LabError(
            "interrupted; if there is a checkpoint, --resume goes on from the newest."
        ) from None
    print(f"Next: `llmlab generate {session.folder}` or `llmlab inspect {session.folder}`.")


@app.command()
def finetune(
    base: Annotated[
        str,
        typer.Option(
            metavar="NAME|DIR|hf:ID",
            help="micro, a folder of `llmlab train`, or hf: and a Hugging Face id or folder.",
        ),
    ] = "micro",
    data: Annotated[
        str,
        typer.Option(
            metavar="skills:NAME|FILE",
            help="A skill (subtraction, math, reasoning, code, knowledge, facts:N) or a file of "
            "JSON lines with prompt and response, or messages.",
        ),
    ] = "skills:subtraction",
    method: Annotated[str, typer.Option(help="full, lora or qlora.")] = "lora",
    rank: Annotated[
        int | None, typer.Option(min=1, help="Rank of the adapter. Default: 8.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Numerator of its scaling. Default: twice the rank.")
    ] = None,
    scaling: Annotated[
        str | None, typer.Option(help="alpha/r (the default) or rslora: alpha over the root of r.")
    ] = None,
    target_modules: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Layers that get an adapter, as qkv,out. Default: all linear."
        ),
    ] = None,
    double_quantisation: Annotated[
        bool | None,
        typer.Option(
            "--double-quantisation/--single-quantisation",
            help="Whether qlora quantises its constants, too. Default: it does.",
            show_default=False,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak rate. Default: what suits method and base.")
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Times to read the examples. Default: 3.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps, in place of --epochs.")
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Examples (rows with --pack) of a step.")
    ] = 32,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_SEED, help="Fixes the adapter's start and the order of the examples."
        ),
    ] = 0,
    precision: Annotated[
        str, typer.Option(help="float32, bfloat16, or auto: bfloat16 on CUDA.")
    ] = "auto",
    pack: Annotated[
        bool, typer.Option("--pack", help="Put several short examples into one row.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out bad lines of the file, and count them.")
    ] = False,
    replay: Annotated[
        float, typer.Option(help="Share of each batch that micro has learned before.")
    ] = 0.0,
    test_items: Annotated[
        int, typer.Option(min=0, help="Test on so many examples at most.")
    ] = 1000,
    every: Annotated[
        int, typer.Option(min=1, help="Steps between two looks at gradients and updates by layer.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the run. Default: runs/BASE-DATA-METHOD."),
    ] = None,
) -> None:
    """Teach a trained model something new: full fine-tuning, LoRA or QLoRA.

    Shows the memory that it takes, what each step does, and what was learned and forgotten. The
    run's folder gets the adapter (in PEFT's form) or the model, a log of every step, and a report.
    """
    from llmlab.finetune.console import describe, show
    from llmlab.finetune.options import Options, open_session
    from llmlab.gpt.speed import keep_freed_memory
    from llmlab.gpt.training import best_device

    keep_freed_memory()
    options = Options(
        base=base,
        data=data,
        method=method,
        rank=rank,
        alpha=alpha,
        scaling=scaling,
        target_modules=target_modules,
        double_quantisation=double_quantisation,
        learning_rate=learning_rate,
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        precision=precision,
        pack=pack,
        skip_bad=skip_bad,
        replay=replay,
        test_items=test_items,
        every=every,
    )
    session = open_session(options, out, best_device())
    print(describe(session), flush=True)
    try:
        show(session.events(), session)
    except KeyboardInterrupt:
        kept = f"what was saved until then is in {session.folder}"
        raise LabError(
            f"interrupted; {kept if session.folder.exists() else 'nothing was written yet'}."
        ) from None


@app.command()
def generate(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="Folder of a run, checkpoint or adapter, micro, hf:ID or hf:PATH."
        ),
    ],
    prompt: Annotated[str, typer.Option(help="Text to go on from.")] = "\n",
    tokens: Annotated[int, typer.Option(min=1, help="Tokens to write.")] = 200,
    temperature: Annotated[
        float, typer.Option(help="0 takes the likeliest token; 1 draws as the model says.")
    ] = 0.8,
    top_k: Annotated[
        int | None, typer.Option(help="Draw from the k likeliest tokens only.")
    ] = None,
    top_p: Annotated[
        float, typer.Option(help="Draw from the likeliest tokens that hold this share.")
    ] = 1.0,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="The same seed draws the same text.")
    ] = 0,
    cache: Annotated[
        bool, typer.Option(help="Keep keys and values; without, the same text comes slower.")
    ] = True,
    base: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Base of an adapter, if it is not where that says."),
    ] = None,
) -> None:
    """Let a trained model write, token by token."""
    from llmlab.finetune.bases import learned_in
    from llmlab.finetune.writing import write_on
    from llmlab.gpt.generation import SamplingConfig

    config = SamplingConfig(temperature, top_k, top_p, seed)
    model = str(learned_in(Path(run)))
    pieces = write_on(model, prompt, tokens, config, cached=cache, base_name=base)
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
        typer.Option(metavar="NAME", help="Base, if it is not where the adapter says it is."),
    ] = None,
) -> None:
    """Fold an adapter into the weights of its base, and write them in the base's own form.

    `llmlab generate` and `llmlab finetune --base` take the folder.
    """
    from llmlab.finetune.adapters import merge as write_merged
    from llmlab.finetune.bases import learned_in

    origin = write_merged(learned_in(adapter), out, base)
    if origin.four_bit:
        print("The base was held in 4 bits: merged are the weights that these stand for.")
    print(f"Now `llmlab generate {out}` and `llmlab finetune --base {out}` take it.")


@app.command()
def inspect(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run or checkpoint.")],
    text: Annotated[
        list[str] | None, typer.Option(help="Text to look at; may be given more than once.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Page to write. Default: RUN/inspect.html.")
    ] = None,
) -> None:
    """Look into a trained model: its attention, its guess in each layer, its activations.

    Writes a page that works offline, in any browser; with the checkpoints of the run, if it kept
    several.
    """
    from llmlab.book.explorers import standalone_page
    from llmlab.gpt.session import look_into
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
            help="log.jsonl, curves.parquet, .csv, trainer_state.json, TensorBoard's "
            "events.out.tfevents.*, or the folder of a run.",
        ),
    ],
    only: Annotated[
        str, typer.Option("--run", metavar="TEXT", help="Only runs whose name holds this text.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Say what happened in a run from its loss curves: at which step, and on what evidence.

    Finds plateaus, spikes, divergence, a rise at the start and over-fitting; extrapolates a loss
    that is still falling; and, given training and validation loss, says what it looks like.
    """
    from llmlab.finetune.curves.readers import read_runs
    from llmlab.finetune.curves.report import print_reports, report

    runs = [run for file in files for run in read_runs(file)]
    chosen = [run for run in runs if only in run.name]
    if not chosen:
        raise LabError(f"no run's name holds '{only}': there is, for instance, {runs[0].name}.")
    reports = [report(run) for run in chosen]
    if as_json:
        _print_json(reports)
    else:
        print_reports(reports)


@app.command("export")
def export_(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run or checkpoint.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write.")],
) -> None:
    """Write a trained model as a folder that Hugging Face `transformers` loads."""
    from llmlab.gpt.exchange import export_run

    export_run(run, folder)
    print(f"Load it with transformers.AutoModelForCausalLM.from_pretrained({str(folder)!r}).")


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(metavar="ID|DIR", help="GPT-2 on the hub, or a folder.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the run. Default: runs/NAME.")
    ] = None,
) -> None:
    """Fetch a GPT-2 from Hugging Face, to generate with it and to look into it."""
    from llmlab.gpt.exchange import import_run

    folder = out or Path("runs") / Path(source).name
    import_run(source, folder)
    print(f"Now `llmlab generate {folder}` and `llmlab inspect {folder}` take it.")


@new.command("experiment")
def new_experiment(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, as in learning_rate.")],
) -> None:
    """Write a script, a chapter, ledger entries and a test for a new experiment.

    All of them run as they are; edit them in the order that is printed.
    """
    from llmlab.method.scaffold import scaffold

    for path in scaffold(Project.find(), name):
        print(_shown(path))
    print(f"Next: edit the files from top to bottom, then `llmlab run {name} --scale smoke`.")


@new.command("concept")
def new_concept(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, as in loss_landscapes.")],
) -> None:
    """Write the chapter of a new concept: a picture, a formula, live code, and what tests it."""
    from llmlab.method.scaffold import scaffold_concept

    for path in scaffold_concept(Project.find(), name):
        print(_shown(path))
    print(f"Next: edit the chapter, then `llmlab book execute concepts/{name}`.")


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def book(context: typer.Context) -> None:
    """Execute chapters, render the book, serve it, check it: see `llmlab book --help`."""
    from llmlab.book.commands import app as commands

    commands(context.args, prog_name="llmlab book")


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def market(context: typer.Context) -> None:
    """Scaling laws on market data: bars, features, runs, search: see `llmlab market --help`."""
    from llmlab.market.commands import app as commands

    commands(context.args, prog_name="llmlab market")


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def fit(context: typer.Context) -> None:
    """Fit a scaling law to a table of runs, with intervals: see `llmlab fit --help`."""
    from llmlab.market.commands import fit_app as commands

    commands(context.args, prog_name="llmlab fit")


def main() -> None:
    """Run the command line; what the user can mend ends as one line on standard error."""
    try:
        app(prog_name="llmlab")
    except LabError as error:
        if os.environ.get("RANK", "0") == "0":  # of several processes one speaks
            print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def _print_json(value: object) -> None:
    """Print JSON; dates as ISO text, what is not a finite number as null."""
    print(json.dumps(_plain(value), indent=2, default=str))


def _plain(value: object) -> object:
    if is_dataclass(value):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(path: Path) -> Path:
    """The path from the working directory, if it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
