"""Runs and Hugging Face folders: export a trained model, import a GPT-2."""

from dataclasses import asdict
from pathlib import Path

from llmlab.gpt.formats.hugging_face import export_gpt2, load_gpt2
from llmlab.gpt.saved.checkpoints import save_checkpoint
from llmlab.gpt.saved.saved_runs import CHECKPOINTS, TOKENIZER, open_model
from llmlab.gpt.saved.writing import new_folder
from llmlab.gpt.text.text_tokenizers import gpt2_tokenizer
from llmlab.method.errors import LabError
from llmlab.runs.folder import RUNS


def export_run(run: Path, folder: Path) -> None:
    """Write the newest model of a run, and its tokenizer, as a folder that `transformers` loads.

    Errors as `open_model` and `export_gpt2`.
    """
    model, tokenizer = open_model(run)
    export_gpt2(model, folder, tokenizer)


def usual_folder(source: str) -> Path:
    """The folder of the run that is made of a GPT-2: `runs/NAME`.

    Raises:
        LabError: the source is empty.
    """
    if not source:
        raise LabError("the GPT-2 to import has no name: give its id on Hugging Face, or a folder.")
    path = Path(source)
    return RUNS / (path.resolve() if path.is_dir() else path).name


def import_run(source: str, folder: Path) -> None:
    """Make a run's folder of a GPT-2: its weights as the checkpoint of step 0, and its tokenizer.

    Args:
        source: id on the Hugging Face hub, or a folder.

    Raises:
        LabError: the source cannot be loaded or is another kind of model, `folder` holds something,
            or there is no room for it; then nothing of the run is left.
    """
    with new_folder(folder) as new:
        model, tokenizer = load_gpt2(source), gpt2_tokenizer(source)
        save_checkpoint(
            new / CHECKPOINTS,
            weights=model.state_dict(),
            training={"step": 0},
            shape=asdict(model.config),
            run={"imported": source, "tokenizer": tokenizer.digest},
        )
        tokenizer.save(new / TOKENIZER)
