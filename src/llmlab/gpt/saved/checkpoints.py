"""Checkpoints: all that a run needs to continue as if it had never stopped.

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
from functools import cache
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, Field, JsonValue, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from llmlab.gpt.model import GPT, GPTConfig
from llmlab.method.errors import LabError
from llmlab.method.files import unreadable, unwritable

WEIGHTS = "model.safetensors"
TRAINING = "training.pt"
ABOUT = "checkpoint.json"
LAYOUT = 1
"""Raise it with any change that makes older checkpoints unreadable."""


Count = Annotated[int, Field(ge=1, le=2**24)]
"""Upper bound on tokens, layers, heads and widths: no model has more."""


class Shape(BaseModel):
    """A GPT's shape as stored in a file."""

    vocab_size: Count
    context: Count
    d_model: Count
    n_layers: Annotated[int, Field(ge=1, le=2**12)]
    n_heads: Count
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Layout(BaseModel):
    """The part of a checkpoint's description that all layouts share."""

    layout: int


class Digests(BaseModel):
    """SHA-256 of the files, in hexadecimal digits."""

    weights: Annotated[str, Field(alias=WEIGHTS)]
    training: Annotated[str, Field(alias=TRAINING)]


class Description(Layout):
    """`checkpoint.json`."""

    step: Annotated[int, Field(ge=0, lt=2**63)]
    shape: Shape
    run: dict[str, JsonValue]
    sha256: Digests


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
        """The model's state, on the CPU.

        Raises:
            LabError: the file holds other weights than a model of this shape has.
        """
        self._require_fitting()
        weights = load_file(self.folder / WEIGHTS)
        return weights | {"head.weight": weights["token_embedding.weight"]}

    def training(self) -> dict[str, object]:
        """Step, optimizer and random numbers, on the CPU.

        Raises:
            LabError: the file holds something else.
        """
        path = self.folder / TRAINING
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
            found["step"], found["optimizer"]["state"], found["random"]["cpu"]
        except Exception as error:  # pickle, zip and torch raise errors of many kinds
            raise LabError(
                f"{path} does not hold a training state: continue from another checkpoint."
            ) from error
        return found

    def model(self) -> GPT:
        """The model, on the CPU, ready to be used; errors as `weights`."""
        weights = self.weights()
        model = GPT(self.shape)
        model.load_state_dict(weights)
        return model.eval()

    def _require_fitting(self) -> None:
        path = self.folder / WEIGHTS
        wanted = _shapes_of_weights(self.shape)
        try:
            with safe_open(path, "pt") as file:
                found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise LabError(
                f"{path} holds no weights ({error}): continue from another checkpoint."
            ) from error
        if wrong := sorted(n for n in wanted | found if wanted.get(n) != found.get(n)):
            raise LabError(
                f"{path} does not fit the shape in {ABOUT}: {wrong[0]} is "
                f"{found.get(wrong[0], 'missing')} and not {wanted.get(wrong[0], 'expected')}; "
                "continue from another checkpoint."
            )


@cache
def _shapes_of_weights(shape: GPTConfig) -> dict[str, list[int]]:
    """The shape of each stored weight of a model; making a model takes 10 ms even on "meta"."""
    with torch.device("meta"):
        weights = GPT(shape).state_dict()
    return {name: [*tensor.shape] for name, tensor in weights.items() if name != "head.weight"}


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
    the earlier checkpoints, and no half of this one.

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
    except (OSError, RuntimeError, SafetensorError) as error:  # libraries wrap what the disk says
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
    about = _description(path / ABOUT)
    for name, digest in {WEIGHTS: about.sha256.weights, TRAINING: about.sha256.training}.items():
        if not (path / name).is_file() or _sha256(path / name) != digest:
            raise LabError(
                f"{path / name} is not the file that was saved (its SHA-256 differs): it was cut "
                "short or changed; continue from an earlier checkpoint."
            )
    return Checkpoint(path, about.step, _shape(path / ABOUT, about.shape), about.run)


def _description(path: Path) -> Description:
    """The description in `path`; its layout is compared before the rest is read."""
    try:
        content = path.read_bytes()
        layout = Layout.model_validate_json(content).layout
        if layout == LAYOUT:
            return Description.model_validate_json(content)
    except OSError as error:
        raise unreadable(path, error) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _foreign(path, " ".join([*map(str, first["loc"]), first["msg"]])) from error
    raise LabError(
        f"{path.parent} has the layout {layout} of another version of this program, which reads "
        f"{LAYOUT}: use that version, or train again."
    )


def _shape(path: Path, shape: Shape) -> GPTConfig:
    try:
        return GPTConfig(**shape.model_dump())
    except ValueError as error:
        raise _foreign(path, str(error).partition(":")[0]) from error


def _foreign(path: Path, cause: str) -> LabError:
    return LabError(
        f"{path} is not the description of a checkpoint ({cause}): "
        "name a folder that `llmlab train` wrote."
    )


def require_checkpoint(folder: Path) -> None:
    """Make sure that a run's folder holds a checkpoint.

    Raises:
        LabError: it holds none.
    """
    if not checkpoints(folder):
        raise LabError(
            f"{folder} holds no checkpoint: name a checkpoint, or the folder of a run that "
            "`llmlab train` has finished or saved with --checkpoint-every."
        )


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
    """Continue with the random numbers from `random_state`."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


def _newest(folder: Path) -> Checkpoint:
    require_checkpoint(folder)
    return load_checkpoint(checkpoints(folder)[-1])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(folder: Path) -> None:
    """Flush what was written to disk before the rename makes it count."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _unwritable(path: Path, error: Exception) -> LabError:
    cause = error if isinstance(error, OSError) else OSError(str(error))
    return unwritable(path, cause)
