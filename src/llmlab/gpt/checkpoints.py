"""Checkpoints: all that a run needs to go on as if it had never stopped.

A checkpoint is a folder, `step-00001200`, that is either there completely or not at all:

- `model.safetensors`: the weights; the output layer's are the embedding's and not stored twice.
- `training.pt`: step, optimizer, and the state of the random numbers. The schedule and the place
  in the data are functions of the step.
- `checkpoint.json`: the recipe, the text and its tokenizer by digest, and the SHA-256 of the two
  files above.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from llmlab.gpt.model import GPT, GPTConfig
from llmlab.method.errors import LabError
from llmlab.method.files import unwritable

WEIGHTS = "model.safetensors"
TRAINING = "training.pt"
ABOUT = "checkpoint.json"
LAYOUT = 1
"""To be raised with whatever makes older checkpoints unreadable."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk whose files are whole.

    Attributes:
        step: optimizer steps done.
        shape: of the model.
        run: what decides the run, as plain JSON; a resumed run must have the same.
    """

    folder: Path
    step: int
    shape: GPTConfig
    run: Mapping[str, object]

    def weights(self) -> dict[str, Tensor]:
        """The model's state, on the CPU."""
        weights = load_file(self.folder / WEIGHTS)
        return weights | {"head.weight": weights["token_embedding.weight"]}

    def training(self) -> dict[str, object]:
        """Step, optimizer and random numbers, on the CPU."""
        return torch.load(self.folder / TRAINING, map_location="cpu", weights_only=True)

    def model(self) -> GPT:
        """The model, on the CPU, ready to be used."""
        model = GPT(self.shape)
        model.load_state_dict(self.weights())
        return model.eval()


def save_checkpoint(
    folder: Path,
    *,
    weights: Mapping[str, Tensor],
    training: Mapping[str, object],
    shape: Mapping[str, object],
    run: Mapping[str, object],
) -> Path:
    """Write the checkpoint of step `training["step"]` into `folder`.

    Everything is written aside, flushed and renamed: a kill or a full disk at any moment leaves
    the checkpoints that were there, and no half of this one.

    Returns:
        The checkpoint's own folder.

    Raises:
        LabError: the folder cannot be written to, or the disk is full.
    """
    target = folder / f"step-{training['step']:08d}"
    aside = folder / f".{target.name}.{os.getpid()}"
    stored = {name: tensor.contiguous() for name, tensor in weights.items()}
    stored.pop("head.weight", None)
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        save_file(stored, aside / WEIGHTS)
        torch.save(dict(training), aside / TRAINING)
        digests = {name: _sha256(aside / name) for name in (WEIGHTS, TRAINING)}
        about = {"layout": LAYOUT, "step": training["step"], "shape": shape, "run": run}
        (aside / ABOUT).write_text(json.dumps({**about, "sha256": digests}, indent=2) + "\n")
        _flush(aside)
        shutil.rmtree(target, ignore_errors=True)
        aside.rename(target)
    except (OSError, RuntimeError) as error:  # torch and safetensors wrap what the disk says
        shutil.rmtree(aside, ignore_errors=True)
        raise _unwritable(target, error) from error
    return target


def load_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in the folder `path`, or the newest of a run's folder.

    Raises:
        LabError: there is none, it is not one of ours, or a file of it was cut short or changed.
    """
    if not (path / ABOUT).is_file():
        return _newest(path)
    try:
        about = json.loads((path / ABOUT).read_bytes())
        layout, digests = about["layout"], about["sha256"]
        found = Checkpoint(path, about["step"], GPTConfig(**about["shape"]), about["run"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"{path / ABOUT} is not the description of a checkpoint ({error}): "
            "name a folder that `llmlab train` wrote."
        ) from error
    if layout != LAYOUT:
        raise LabError(
            f"{path} has the layout {layout} of another version of this program, which reads "
            f"{LAYOUT}: use that version, or train again."
        )
    for name, digest in digests.items():
        if not (path / name).is_file() or _sha256(path / name) != digest:
            raise LabError(
                f"{path / name} is not the file that was saved (its SHA-256 differs): it was cut "
                "short or changed; go on from an earlier checkpoint."
            )
    return found


def checkpoints(folder: Path) -> list[Path]:
    """The folders of all checkpoints of a run, oldest first; a run's folder or its checkpoints'."""
    inside = folder / "checkpoints"
    return sorted(
        path.parent for path in (inside if inside.is_dir() else folder).glob(f"step-*/{ABOUT}")
    )


def keep_newest(folder: Path, n_kept: int) -> None:
    """Remove all checkpoints in `folder` but the newest `n_kept`."""
    for old in checkpoints(folder)[:-n_kept]:
        shutil.rmtree(old, ignore_errors=True)


def random_state() -> dict[str, Tensor]:
    """The state of the random numbers that dropout draws, by device."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_random_state(states: Mapping[str, Tensor]) -> None:
    """Go on with the random numbers from `random_state`."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


def _newest(folder: Path) -> Checkpoint:
    found = checkpoints(folder)
    if not found:
        raise LabError(
            f"{folder} holds no checkpoint: name a checkpoint, or the folder of a run that "
            "`llmlab train` has finished or saved with --checkpoint-every."
        )
    return load_checkpoint(found[-1])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(folder: Path) -> None:
    """Have the disk keep what was written, before the rename makes it count."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _unwritable(path: Path, error: Exception) -> LabError:
    cause = error if isinstance(error, OSError) else OSError(str(error))
    return unwritable(path, cause)
