"""A pretraining run in a folder: its log, its checkpoints, and going on where it stopped.

runs/micro-stdlib/
    tokenizer.json          what text is cut into
    log.jsonl               one event a line, written as it happens: anything may follow it
    checkpoints/step-…/     the last state, and those on the way if asked for
"""

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
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
    """The loss left the finite numbers; the step was not taken, so the last state is a good one.

    Attributes:
        step: that was not taken.
        last_good_step: the last one that was; None if there was none.
    """

    step: int
    last_good_step: int | None
    learning_rate: float
    loss: float
    gradient_norm: float

    @property
    def sentence(self) -> str:
        before = "none" if self.last_good_step is None else self.last_good_step
        return (
            f"training stopped at step {self.step}, where the loss is {self.loss:.3g} and the "
            f"gradient norm {self.gradient_norm:.3g} at the learning rate {self.learning_rate:.3g} "
            f"(last good step: {before}; the state after it is saved): start again with a lower "
            "--learning-rate and another --out."
        )


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

    def events(self, workers: Workers, *, resume: bool) -> Iterator[Event | Saved | Diverged]:
        """Train, logging every event and saving what was asked for; ends with `Diverged` if so.

        Raises:
            LabError: the folder holds a run already and `resume` was not asked for; there is
                nothing to resume, or it was another run; a part of the text is too short; a file
                cannot be written.
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
        for event in self._training(pretraining, resumed_at=checkpoint and checkpoint.step):
            if workers.is_first:
                self._log(event)
            yield event

    def _training(
        self, pretraining: Pretraining, resumed_at: int | None
    ) -> Iterator[Event | Saved | Diverged]:
        """The events of training, of all processes together, and what is saved between them."""
        saved_at = resumed_at
        for event in pretraining.events():
            step = pretraining.trainer.step
            if isinstance(event, Point):
                event = replace(event, tokens=event.tokens * pretraining.workers.world)
            diverged = isinstance(event, Point) and not event.is_finite
            if not diverged:
                yield event
            if step != saved_at and (diverged or self._is_due(event, step)):
                yield self._save(pretraining, keep=None if diverged else self.keep)
                saved_at = step
            if diverged:
                yield _stopped_at(event)

    def _is_due(self, event: Event, step: int) -> bool:
        """Whether to save after this event, `step` steps done: as asked for, or at the end."""
        if step == self.recipe.train.steps:
            return isinstance(event, Validation)
        every = self.checkpoint_every
        return isinstance(event, Point) and every is not None and step % every == 0

    def _save(self, pretraining: Pretraining, keep: int | None) -> Saved:
        """Write a checkpoint; of all, the newest `keep` stay, or every one."""
        weights, training = pretraining.state()
        folder = self.folder / CHECKPOINTS
        target = folder / f"step-{training['step']:08d}"
        if pretraining.workers.is_first:
            self._write(target, weights, training)
            if keep is not None:
                keep_newest(folder, keep)
        return Saved(training["step"], str(target))

    def _write(
        self, target: Path, weights: Mapping[str, Tensor], training: Mapping[str, object]
    ) -> None:
        try:
            save_checkpoint(
                target.parent,
                weights=weights,
                training=training,
                shape=asdict(self.recipe.shape),
                run=self.run,
            )
        except SafetensorError as error:  # of a full disk
            self._remove_unfinished()
            raise unwritable(target, OSError(str(error))) from error

    def _remove_unfinished(self) -> None:
        """Remove what a kill or a full disk left of a checkpoint."""
        for unfinished in (self.folder / CHECKPOINTS).glob(".step-*"):
            shutil.rmtree(unfinished, ignore_errors=True)

    def _checkpoint(self) -> Checkpoint:
        found = load_checkpoint(self.folder)
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
        self._remove_unfinished()
        log = self.folder / LOG
        if checkpoint:
            before = [event for event in _events(log) if _is_before(event, checkpoint.step)]
            write_file(log, "".join(json.dumps(event) + "\n" for event in before))
            return
        self.material.tokenizer.save(self.folder / TOKENIZER)
        write_file(log, json.dumps({"event": "run", **self.run}) + "\n")

    def _log(self, event: Event | Saved | Diverged) -> None:
        line = {"event": type(event).__name__.lower(), **_finite(asdict(event))}
        try:
            with (self.folder / LOG).open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise unwritable(self.folder / LOG, error) from error


def open_model(path: Path) -> tuple[GPT, TextTokenizer]:
    """The newest model of a run's folder, or that of a checkpoint, and its tokenizer.

    Raises:
        LabError: there is none, or a file of it is damaged.
    """
    checkpoint = load_checkpoint(path)
    return checkpoint.model(), load_tokenizer(_run_folder(path) / TOKENIZER)


def look_into(path: Path, texts: Sequence[str]) -> dict[str, View]:
    """Views of the model of a run or checkpoint, by name; of several checkpoints a browser, too.

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
    found = checkpoints(path)
    if len(found) < 2:
        return views
    browser = CheckpointBrowser(model, tokenizer, texts[0])
    for folder in found:
        checkpoint = load_checkpoint(folder)
        model.load_state_dict(checkpoint.weights())
        browser.look(checkpoint.step)
    return views | {"checkpoints": browser.view(_curves(_run_folder(path) / LOG))}


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


def _stopped_at(point: Point) -> Diverged:
    last_good = point.step - 1 if point.step else None
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
