"""A pretraining run in a folder: its log, its checkpoints, and going on where it stopped.

runs/micro-stdlib/
    tokenizer.json          what text is cut into
    log.jsonl               one event a line, written as it happens: anything may follow it
    checkpoints/step-…/     the last state, and those on the way if asked for
"""

import copy
import json
import math
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from llmlab.gpt.checkpoints import (
    Checkpoint,
    checkpoints,
    keep_newest,
    load_checkpoint,
    save_checkpoint,
)
from llmlab.gpt.distributed import Workers
from llmlab.gpt.inspection import (
    CheckpointBrowser,
    View,
    activation_statistics,
    activations_view,
    attention_view,
    head_scores,
    logit_lens_view,
)
from llmlab.gpt.material import Material
from llmlab.gpt.model import GPT
from llmlab.gpt.pretraining import Event, Pretraining, Recipe, Validation
from llmlab.gpt.text import TextTokenizer, load_tokenizer
from llmlab.gpt.training import Point
from llmlab.method.errors import LabError
from llmlab.method.files import unwritable, write_file

LOG = "log.jsonl"
TOKENIZER = "tokenizer.json"
CHECKPOINTS = "checkpoints"

TEXT = "def add(first, second):\n    return first + second\n\ndef add(first, second):\n    return"
"""What one looks at unless told otherwise: code that begins to repeat itself."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint was written."""

    step: int
    folder: str


@dataclass(frozen=True)
class Diverged:
    """The loss left the finite numbers.

    Attributes:
        step: that was not taken, since the weights that the one before it left give no loss.
        last_good_step: the last one whose weights do, which are saved; None if no step's do.
    """

    step: int
    last_good_step: int | None
    learning_rate: float
    loss: float
    gradient_norm: float

    @property
    def sentence(self) -> str:
        good = f"last good step: {self.last_good_step}; the state after it is saved"
        return (
            f"training stopped at step {self.step}, where the loss is {self.loss:.3g} and the "
            f"gradient norm {self.gradient_norm:.3g} at the learning rate {self.learning_rate:.3g} "
            f"({'no step was good' if self.last_good_step is None else good}): start again with a "
            "lower --learning-rate and another --out."
        )


@dataclass(frozen=True)
class Interrupted:
    """The user stopped the run after `step` steps; its state is saved."""

    step: int


State = tuple[Mapping[str, Tensor], Mapping[str, object]]
"""Weights, and all else that a checkpoint holds."""


@dataclass(frozen=True)
class Session:
    """One run in its folder.

    Attributes:
        checkpoint_every: steps between checkpoints; None for the last state alone.
        keep: how many of the newest checkpoints stay.
    """

    folder: Path
    recipe: Recipe
    material: Material
    checkpoint_every: int | None = None
    keep: int = 3

    @property
    def run(self) -> dict[str, object]:
        """What decides the numbers of the run; a checkpoint belongs to one of these."""
        recipe = asdict(self.recipe)
        return {
            **{f"shape.{name}": value for name, value in recipe.pop("shape").items()},
            **{f"train.{name}": _plain(value) for name, value in recipe.pop("train").items()},
            "batch_size": self.recipe.batch_size,
            "seed": self.recipe.seed,
            "validation_share": self.recipe.validation_share,
            "corpus": self.material.corpus.digest,
            "tokenizer": self.material.tokenizer.digest,
        }

    def events(self, workers: Workers, *, resume: bool) -> "Iterator[SessionEvent]":
        """Train, logging every event and saving what was asked for.

        It ends with `Diverged` or `Interrupted` where training did. Ctrl-C is waited for between
        two steps of a process that trains alone.

        Raises:
            LabError: the folder holds a run already and `resume` was not asked for; there is
                nothing to resume, or it was another run; a part of the text is too short; a file
                cannot be written; or there is nothing to translate the model with.
        """
        checkpoint = self._checkpoint() if resume else None
        if workers.is_first and not resume:
            self._refuse_another_run()
        # translated in place, each process its own part of the model
        recipe = replace(self.recipe, compiled=False)
        pretraining = Pretraining(recipe, self.material.tokens, workers, checkpoint)
        if self.recipe.compiled:
            pretraining.model.compile()
        if workers.is_first:
            self._open(checkpoint)
        with _translating(self.recipe.compiled):
            for event in self._training(pretraining, resumed_at=checkpoint and checkpoint.step):
                if workers.is_first:
                    self._log(event)
                yield event

    def _training(
        self, pretraining: Pretraining, resumed_at: int | None
    ) -> "Iterator[SessionEvent]":
        """The events of training, of all processes together, and what is saved between them."""
        saved_at, good, world = resumed_at, None, pretraining.workers.world
        with noted_interrupt(world == 1) as interrupted:
            for event in pretraining.events():
                step = pretraining.trainer.step
                if isinstance(event, Point):
                    if not event.is_finite:
                        yield _stopped_at(event, self._settle(pretraining, good))
                        return
                    event = replace(event, tokens=event.tokens * world)
                elif isinstance(event, Validation) and math.isfinite(event.loss):
                    good = _apart(pretraining.state(), pretraining.workers.device)
                yield event
                stops = isinstance(event, Point) and interrupted() and not self._is_done(step)
                if step != saved_at and (stops or self._is_due(event, step)):
                    yield self._save(pretraining)
                    saved_at = step
                if stops:
                    yield Interrupted(step)
                    return

    def _is_due(self, event: Event, step: int) -> bool:
        """Whether to save after this event, `step` steps done: as asked for, or at the end."""
        if self._is_done(step):
            return isinstance(event, Validation)
        every = self.checkpoint_every
        return isinstance(event, Point) and every is not None and step % every == 0

    def _is_done(self, step: int) -> bool:
        return step == self.recipe.train.steps

    def _save(self, pretraining: Pretraining) -> Saved:
        """Write a checkpoint; of all, the newest `keep` stay."""
        state = pretraining.state()
        if pretraining.workers.is_first:
            self._write(state)
            keep_newest(self.folder / CHECKPOINTS, self.keep)
        return Saved(_step(state), str(self._checkpoint_at(_step(state))))

    def _settle(self, pretraining: Pretraining, good: State | None) -> int:
        """Have the newest checkpoint be of the last state with a finite loss; its steps done.

        Args:
            good: the last state that was validated, with a finite loss.
        """
        if math.isfinite(pretraining.validate().loss):
            good = pretraining.state()
        elif (newest := self._newest_good(pretraining, good and _step(good))) is not None:
            return newest
        if good is None:
            return 0
        if pretraining.workers.is_first and not self._checkpoint_at(_step(good)).is_dir():
            self._write(good)
        return _step(good)

    def _newest_good(self, pretraining: Pretraining, good: int | None) -> int | None:
        """Steps done in the newest checkpoint after `good` steps with a finite loss, if any.

        Newer ones, which have none, are removed, and the model is left with its weights. Several
        processes trust what they saved: a sharded model takes no weights from outside.
        """
        for folder in reversed(checkpoints(self.folder)):
            found = load_checkpoint(folder)
            if good is not None and found.step <= good:
                return None
            if pretraining.workers.world > 1:
                return found.step
            pretraining.model.load_state_dict(found.weights())
            if math.isfinite(pretraining.validate().loss):
                return found.step
            shutil.rmtree(folder, ignore_errors=True)
        return None

    def _checkpoint_at(self, step: int) -> Path:
        return self.folder / CHECKPOINTS / f"step-{step:08d}"

    def _write(self, state: State) -> None:
        weights, training = state
        shape, run = asdict(self.recipe.shape), self.run
        write_checkpoint(self.folder, weights=weights, training=training, shape=shape, run=run)

    def _checkpoint(self) -> Checkpoint:
        found = self._newest()
        if made := next((made for made in ("imported", "tuned_from") if made in found.run), None):
            raise LabError(
                f"{self.folder} holds a model that was {made.removesuffix('_from')} and not "
                "trained by `llmlab train`: name another folder with --out."
            )
        changed = [
            f"{name} {_shown(found.run.get(name))} -> {_shown(value)}"
            for name, value in self.run.items()
            if found.run.get(name) != value
        ]
        if changed:
            raise LabError(
                f"the run in {self.folder} was another one ({'; '.join(changed)}): resume it with "
                "its own options, or name another folder with --out."
            )
        return found

    def _newest(self) -> Checkpoint:
        """The newest checkpoint; where it is damaged, the sentence says how to do without."""
        try:
            return load_checkpoint(self.folder)
        except LabError as error:
            found = checkpoints(self.folder)
            if len(found) < 2:
                raise
            raise LabError(
                f"{str(error).partition(';')[0]}; remove {found[-1]}, and --resume goes on from "
                f"{found[-2].name}."
            ) from error

    def _refuse_another_run(self) -> None:
        if checkpoints(self.folder):
            raise LabError(
                f"{self.folder} holds a run already: go on with it by --resume, name another "
                "folder with --out, or remove it."
            )
        if (self.folder / LOG).exists():
            raise LabError(
                f"{self.folder} holds a run that stopped before its first checkpoint: remove it, "
                "or name another folder with --out."
            )

    def _open(self, checkpoint: Checkpoint | None) -> None:
        """Prepare the folder; of a log, keep what came before the checkpoint."""
        remove_unfinished(self.folder)
        log = self.folder / LOG
        if checkpoint:
            before = [event for event in _events(log) if _is_before(event, checkpoint.step)]
            write_file(log, "".join(json.dumps(event) + "\n" for event in before))
            return
        self.material.tokenizer.save(self.folder / TOKENIZER)
        write_file(log, json.dumps({"event": "run", **self.run}) + "\n")

    def _log(self, event: "SessionEvent") -> None:
        line = {"event": type(event).__name__.lower(), **_finite(asdict(event))}
        try:
            with (self.folder / LOG).open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise unwritable(self.folder / LOG, error) from error


SessionEvent = Event | Saved | Diverged | Interrupted


def write_checkpoint(folder: Path, **parts: Mapping[str, object]) -> None:
    """Write a checkpoint into a run's folder by `save_checkpoint`, which takes the parts.

    Raises:
        LabError: as `save_checkpoint`; it tells of a full disk, and nothing is left of the file.
    """
    target = folder / CHECKPOINTS
    try:
        save_checkpoint(target, **parts)
    except (LabError, SafetensorError) as error:  # safetensors wraps what the disk says
        remove_unfinished(folder)
        needed = sum(tensor.nbytes for tensor in parts["weights"].values())
        is_full = target.is_dir() and shutil.disk_usage(target).free < needed
        cause = "the disk is full" if is_full else str(error.__cause__ or error)
        raise LabError(
            f"cannot write step-{parts['training']['step']:08d} into {target}: {cause}; free some "
            "space or make the folder writable. Earlier checkpoints are whole: --resume goes on "
            "from the newest."
        ) from error


def remove_unfinished(run: Path) -> None:
    """Remove what a kill or a full disk left of a checkpoint."""
    for unfinished in (run / CHECKPOINTS).glob(".step-*"):
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def noted_interrupt(is_alone: bool = True) -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl-C was pressed; pressed again it interrupts as ever.

    So a step that has begun is finished, and the weights after it are whole.

    Args:
        is_alone: whether no other process waits for what this one sends in its next step.
    """
    noted = threading.Event()

    def note(signum: int, frame: object) -> None:
        if noted.is_set():
            raise KeyboardInterrupt
        noted.set()

    if not is_alone or threading.current_thread() is not threading.main_thread():
        yield noted.is_set
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _translating(compiled: bool) -> Iterator[None]:
    """Say in one sentence that `torch.compile` cannot do its work here."""
    if not compiled:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException

    try:
        yield
    except TorchDynamoException as error:
        cause = " ".join(str(error).split("\n")[:2])
        raise LabError(
            f"the model cannot be compiled here ({cause}): install a C++ compiler, or leave out "
            "--compile."
        ) from error


def open_model(path: Path) -> tuple[GPT, TextTokenizer]:
    """The newest model of a run's folder, or that of a checkpoint, and its tokenizer.

    Raises:
        LabError: there is none, or a file of it is damaged.
    """
    checkpoint = load_checkpoint(path)
    return checkpoint.model(), load_tokenizer(_run_folder(path) / TOKENIZER)


def look_into(path: Path, texts: Sequence[str]) -> dict[str, View]:
    """Views of the model of a run or checkpoint, by name; of several checkpoints a browser, too.

    Earlier checkpoints that are damaged are left out.

    Args:
        texts: to look at; a default one if there are none.

    Raises:
        LabError: there is no model, or a text has no token.
    """
    newest = load_checkpoint(path)
    model, tokenizer = newest.model(), load_tokenizer(_run_folder(path) / TOKENIZER)
    texts = texts or [TEXT]
    scores = head_scores(model, range(tokenizer.vocab_size))
    ids = torch.tensor([tokenizer.encode(texts[0])[: model.config.context]])
    views = {
        "attention": attention_view(model, tokenizer, texts, newest.step, scores),
        "logit lens": logit_lens_view(model, tokenizer, texts),
        "activations": activations_view({newest.step: activation_statistics(model, ids)}),
    }
    found = list(_whole_checkpoints(path))
    if len(found) < 2:
        return views
    browser = CheckpointBrowser(model, tokenizer, texts[0])
    for checkpoint in found:
        model.load_state_dict(checkpoint.weights())
        browser.look(checkpoint.step)
    return views | {"checkpoints": browser.view(_curves(_run_folder(path) / LOG))}


def _whole_checkpoints(path: Path) -> Iterator[Checkpoint]:
    for folder in checkpoints(path):
        try:
            yield load_checkpoint(folder)
        except LabError:
            continue


def _curves(log: Path) -> dict[str, list[tuple[int, float]]]:
    """Training and validation loss from a log; the first as the mean of every fiftieth part."""
    events = list(_events(log))
    points = [(e["step"], e["loss"]) for e in events if e["event"] == "point"]
    width = max(1, len(points) // 50)
    parts = [points[start : start + width] for start in range(0, len(points), width)]
    return {
        "loss": [(part[-1][0], sum(loss for _, loss in part) / len(part)) for part in parts],
        "validation_loss": [(e["step"], e["loss"]) for e in events if e["event"] == "validation"],
    }


def _run_folder(path: Path) -> Path:
    """The folder of the run that this is, or that this checkpoint or its folder lies in."""
    path = path.resolve()
    inside = (folder for folder in (path, path.parent) if folder.name == CHECKPOINTS)
    return next((folder.parent for folder in inside), path)


def _events(log: Path) -> Iterator[dict[str, object]]:
    """The events of a log, if there is one; a line that a kill cut short is none."""
    if not log.is_file():
        return
    for line in log.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _is_before(event: dict[str, object], step: int) -> bool:
    """Whether a run that goes on from the checkpoint of `step` does not see this event again."""
    return event.get("step", -1) < step + (event["event"] == "saved")


def _apart(state: State, device: torch.device) -> State:
    """A state that training does not change any more: of a CPU's, its tensors are the model's."""
    return copy.deepcopy(state) if device.type == "cpu" else state


def _step(state: State) -> int:
    """Steps done in a state."""
    return state[1]["step"]


def _stopped_at(point: Point, good: int) -> Diverged:
    last_good = good - 1 if good else None
    return Diverged(point.step, last_good, point.learning_rate, point.loss, point.gradient_norm)


def _finite(fields: dict[str, object]) -> dict[str, object]:
    """What JSON can hold: numbers that are not finite by name."""
    return {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in fields.items()
    }


def _plain(value: object) -> object:
    """As JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value


def _shown(value: object) -> str:
    return value[:12] if isinstance(value, str) else str(value)
