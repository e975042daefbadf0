"""What a run of `llmlab train` leaves in its folder, and how it is opened again.

runs/micro-stdlib-seed0/
    tokenizer.json          what text is cut into
    log.jsonl               one event a line, written as it happens: anything may follow it
    checkpoints/step-…/     the last state, and those on the way if asked for
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from llmlab.gpt.model import GPT
from llmlab.gpt.saved.checkpoints import checkpoints, load_checkpoint, save_checkpoint
from llmlab.gpt.text.text_tokenizers import TextTokenizer, load_tokenizer
from llmlab.method.errors import LabError
from llmlab.runs.folder import LOG, RunFolder

TOKENIZER = "tokenizer.json"
CHECKPOINTS = "checkpoints"


def require_new(folder: Path) -> None:
    """Make sure that a run can begin in `folder` before any work is done.

    Raises:
        LabError: it holds a run, or anything else.
    """
    if checkpoints(folder):
        raise LabError(
            f"{folder} holds a run already: continue it with --resume, name another "
            "folder with --out, or remove it."
        )
    if (folder / LOG).exists():
        raise LabError(
            f"{folder} holds a run that stopped before its first checkpoint: remove it, "
            "or name another folder with --out."
        )
    RunFolder(folder).require_empty()


def open_model(path: Path) -> tuple[GPT, TextTokenizer]:
    """The newest model of a run's folder, or that of a checkpoint, and its tokenizer.

    Raises:
        LabError: there is none, a file of it is damaged, or the tokenizer is another one than the
            model was trained with.
    """
    checkpoint = load_checkpoint(path)
    return checkpoint.model(), open_tokenizer(path, checkpoint.run)


def open_tokenizer(path: Path, run: Mapping[str, object]) -> TextTokenizer:
    """The tokenizer beside the checkpoint at `path`; errors as `open_model`.

    Args:
        run: of the checkpoint; it names the tokenizer that the model was trained with.
    """
    file = run_folder(path) / TOKENIZER
    tokenizer = load_tokenizer(file)
    if run.get("tokenizer", tokenizer.digest) != tokenizer.digest:
        raise LabError(
            f"{file} is not the tokenizer that the model was trained with (its digest differs): "
            "put that one back."
        )
    return tokenizer


def run_folder(path: Path) -> Path:
    """The folder of the run that this is, or that this checkpoint or its folder lies in."""
    path = path.resolve()
    inside = (folder for folder in (path, path.parent) if folder.name == CHECKPOINTS)
    return next((folder.parent for folder in inside), path)


def write_checkpoint(folder: Path, **parts: Mapping[str, object]) -> None:
    """Write a checkpoint into a run's folder by `save_checkpoint`, which takes the parts.

    Raises:
        LabError: as `save_checkpoint`; it tells of a full disk and of what can be resumed, and
            nothing is left of the file.
    """
    target = folder / CHECKPOINTS
    try:
        save_checkpoint(target, **parts)
    except LabError as error:
        remove_unfinished(folder)
        needed = sum(tensor.nbytes for tensor in parts["weights"].values())
        is_full = target.is_dir() and shutil.disk_usage(target).free < needed
        cause = "the disk is full" if is_full else str(error.__cause__ or error)
        raise LabError(
            f"cannot write step-{parts['training']['step']:08d} into {target}: {cause}; free some "
            f"space or make the folder writable, then {_remedy(folder)}."
        ) from error


@contextmanager
def resume_hint(folder: Path) -> Iterator[None]:
    """If a file of a run cannot be written, say how to resume the run instead of how to repeat it.

    Raises:
        LabError: as the block does, with the remedy that holds for the run.
    """
    try:
        yield
    except LabError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        what, _, _ = str(error).partition("; ")
        raise LabError(
            f"{what}; free some space or make the folder writable, then {_remedy(folder)}."
        ) from error


def remove_unfinished(folder: Path) -> None:
    """Remove what a kill or a full disk left of a checkpoint."""
    for unfinished in (folder / CHECKPOINTS).glob(".step-*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    with suppress(OSError):  # there are checkpoints, or there is no such folder
        (folder / CHECKPOINTS).rmdir()


def _remedy(folder: Path) -> str:
    if found := checkpoints(folder):
        return f"continue with --resume from {found[-1].name}, which is whole"
    return f"remove {folder} and start again: no checkpoint had been saved"
