"""A pretraining run in a folder: its log, its checkpoints, and going on where it stopped.

runs/micro-stdlib/
    tokenizer.json          what text is cut into
    log.jsonl               one event a line, written as it happens: anything may follow it
    checkpoints/step-…/     the last state, and those on the way if asked for
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

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
        before = "no step before it" if self.last_good_step is None else self.last_good_step
        return (
            f"training stopped at step {self.step}, where the loss is {self.loss} and the gradient "
            f"norm {self.gradient_norm} at the learning rate {self.learning_rate:.3g} (last good "
            f"step: {before}): take a lower --learning-rate, or go on from an earlier checkpoint."
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
                nothing to resume, or it was another run; a file cannot be written.
        """
        checkpoint = self._checkpoint() if resume else None
        if workers.is_first:
            self._open(checkpoint)
        pretraining = Pretraining(self.recipe, self.material.tokens, workers, checkpoint)
        for event in self._training(pretraining):
            if workers.is_first:
                self._log(event)
            yield event

    def _training(self, pretraining: Pretraining) -> Iterator[Event | Saved | Diverged]:
        last_good = None
        for event in pretraining.events():
            if isinstance(event, Point):
                if not event.is_finite:
                    yield self._save(pretraining)
                    yield Diverged(
                        event.step, last_good, event.learning_rate, event.loss, event.gradient_norm
                    )
                    return
                last_good = event.step
            yield event
            if self._is_due(event, pretraining):
                yield self._save(pretraining)

    def _is_due(self, event: Event, pretraining: Pretraining) -> bool:
        """Whether to save after this event: a step whose number asks for it, or the run's end."""
        step = pretraining.trainer.step
        if step == self.recipe.train.steps:
            return isinstance(event, Validation)
        every = self.checkpoint_every
        return isinstance(event, Point) and every is not None and step % every == 0

    def _save(self, pretraining: Pretraining) -> Saved:
        weights, training = pretraining.state()
        folder = self.folder / CHECKPOINTS
        target = folder / f"step-{training['step']:08d}"
        if pretraining.workers.is_first:
            save_checkpoint(
                folder,
                weights=weights,
                training=training,
                shape=asdict(self.recipe.shape),
                run=self.run,
            )
            keep_newest(folder, self.keep)
        return Saved(training["step"], str(target))

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

    def _open(self, checkpoint: Checkpoint | None) -> None:
        """Prepare the folder; of a log, keep what came before the checkpoint."""
        log = self.folder / LOG
        if checkpoint:
            write_file(log, "".join(_lines_until(log, checkpoint.step)))
            return
        if log.exists() or checkpoints(self.folder):
            raise LabError(
                f"{self.folder} holds a run already: go on with it by --resume, name another "
                "folder with --out, or remove it."
            )
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
    model, tokenizer = open_model(path)
    texts = texts or [TEXT]
    scores = head_scores(model, range(tokenizer.vocab_size))
    ids = torch.tensor([tokenizer.encode(texts[0])[: model.config.context]])
    views = {
        "attention": attention_view(model, tokenizer, texts, scores=scores),
        "logit lens": logit_lens_view(model, tokenizer, texts),
        "activations": activations_view({0: activation_statistics(model, ids)}),
    }
    found = checkpoints(path)
    if len(found) < 2:
        return views
    browser = CheckpointBrowser(model, tokenizer, texts[0])
    for folder in found:
        checkpoint = load_checkpoint(folder)
        model.load_state_dict(checkpoint.weights())
        browser.look(checkpoint.step)
    return views | {"checkpoints": browser.view(_curves(path / LOG))}


def _curves(log: Path) -> dict[str, list[tuple[int, float]]]:
    """Training and validation loss from a log; the first as the mean of every fiftieth part."""
    events = [json.loads(line) for line in log.read_text().splitlines()]
    points = [(e["step"], e["loss"]) for e in events if e["event"] == "point"]
    width = max(1, len(points) // 50)
    parts = [points[start : start + width] for start in range(0, len(points), width)]
    return {
        "loss": [(part[-1][0], sum(loss for _, loss in part) / len(part)) for part in parts],
        "validation_loss": [(e["step"], e["loss"]) for e in events if e["event"] == "validation"],
    }


def _run_folder(path: Path) -> Path:
    """The folder of the run that a checkpoint, or the run itself, lies in."""
    return path.parent.parent if path.parent.name == CHECKPOINTS else path


def _lines_until(log: Path, step: int) -> Iterator[str]:
    """The lines of a log from before a checkpoint of `step`, whole ones only."""
    if not log.is_file():
        return
    for line in log.read_text().splitlines(keepends=True):
        try:
            event = json.loads(line)
        except ValueError:  # cut short by a kill
            continue
        if event.get("step", -1) < step:
            yield line


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
