"""Verbs of the labs that train: make a model, teach it, use it, look inside it, exchange it."""

import sys
from collections import deque
from pathlib import Path
from typing import Annotated

import typer

from llmlab.cli.shared import shown
from llmlab.finetune.command.options import FinetuneOptions
from llmlab.gpt.command.options import TrainOptions
from llmlab.method.errors import LabError
from llmlab.method.json_values import print_json
from llmlab.method.options import LARGEST_SEED, Json, expand_options
from llmlab.runs.shell import command

app = typer.Typer()


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
        typer.Option(metavar="DIR", help="Folder of the run. Default: runs/CONFIG-CORPUS-seedN."),
    ] = None,
) -> None:
    """Train a GPT from scratch on a text.

    Writes a tokenizer, a log of every step and the final state to the run's folder; Ctrl-C saves
    the state, too. `llmlab generate` and `llmlab inspect` take the folder. To train on several
    processes or GPUs, use `torchrun --standalone --nproc-per-node 2 -m llmlab train`.
    """
    from llmlab.gpt.command.console import Meter, show
    from llmlab.gpt.command.opening import describe, open_session
    from llmlab.gpt.distributed import joined
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
    _say_next(session.folder)


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
            metavar="RUN",
            help="Folder of a run, checkpoint or adapter, or a base as `llmlab finetune` takes it.",
        ),
    ],
    prompt: Annotated[
        str, typer.Option(metavar="TEXT", help="Text to continue.", show_default="a line break")
    ] = "\n",
    tokens: Annotated[
        int, typer.Option(min=1, max=10**9, help="Number of tokens to generate.")
    ] = 200,
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
        typer.Option(metavar="BASE", help="Base of the adapter, if it has moved."),
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
    out: Annotated[Path, typer.Option(metavar="DIR", help="New folder of the merged model.")],
    base: Annotated[
        str | None,
        typer.Option(metavar="BASE", help="Base of the adapter, if it has moved."),
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
    use, teach = command("llmlab", "generate", out), command("llmlab", "finetune", "--base", out)
    print(f"Next: {use} or {teach}.")


@app.command()
def inspect(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run or checkpoint.")],
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Text to run the model on; may be repeated."),
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
    from llmlab.gpt.inside.run_views import look_into
    from llmlab.method.files import require_writable, write_file

    page = out or run / "inspect.html"
    if out:
        require_writable(out)
    views = look_into(run, text or [])
    write_file(page, standalone_page(f"Inside {run.resolve().name}", views))
    print(f"Open {shown(page.resolve())} in a browser.")


@app.command()
def curves(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="log.jsonl, trainer_log.jsonl, curves.parquet, .csv, trainer_state.json, "
            "TensorBoard's events.out.tfevents.*, a trainer's printed .log, or a folder of one or "
            "more runs.",
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
        print_json(reports)
    else:
        print_reports(reports)


@app.command("export")
def export_(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run or checkpoint.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write.")],
) -> None:
    """Export a trained model as a folder that Hugging Face `transformers` loads."""
    from llmlab.gpt.formats.exchange import export_run

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
    from llmlab.gpt.formats.exchange import import_run, usual_folder

    folder = out or usual_folder(source)
    import_run(source, folder)
    _say_next(folder)


def _say_next(run: Path) -> None:
    """Print what to do with a trained model."""
    print(f"Next: {command('llmlab', 'generate', run)} or {command('llmlab', 'inspect', run)}.")
