"""`llmlab sleep export`: a model as a file for llama.cpp and Ollama."""

from pathlib import Path
from typing import Annotated

import typer

from llmlab.method.errors import LabError
from llmlab.runs.shell import pasted
from llmlab.sleep.coder.coder import ABOUT
from llmlab.sleep.command.options import MICRO, open_coder


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="micro|FOLDER",
            help="The lab's own coder, a folder that `llmlab sleep train` wrote, or a run of "
            "`llmlab train`.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write.")] = Path(
        "runs/sleep/gguf"
    ),
) -> None:
    """Export a model to GGUF, with a Modelfile for Ollama.

    A coder's file reads and writes tokens, each followed by ¦; prompt.txt holds a first question.
    """
    from llmlab.finetune.model.catalog import is_hub
    from llmlab.gpt.saved.saved_runs import open_model
    from llmlab.sleep.export import MODEL, MODELFILE, PROMPT, export_coder, export_gpt

    if is_hub(model):
        raise LabError(
            f"{model} is a Hugging Face model: convert its folder with llama.cpp's "
            "convert_hf_to_gguf.py, after `llmlab merge` if it is an adapter."
        )
    if model == MICRO or (Path(model) / ABOUT).is_file():
        export_coder(open_coder(model), out)
        print(f"A question in the coder's tokens is in {out / PROMPT}.")
    else:
        export_gpt(*open_model(Path(model)), out)
    print(f"The model is in {out / MODEL}; load it with llama.cpp, or with Ollama:")
    print(pasted("ollama", "create", "coder", "-f", out / MODELFILE))
