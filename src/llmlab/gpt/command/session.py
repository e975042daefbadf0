"""A pretraining run in its folder: it logs every event, saves, and resumes where it stopped."""

import copy
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from torch import Tensor, device

from llmlab.gpt.command.resuming import require_fitting_optimizer, resuming_from
from llmlab.gpt.command.run_events import Diverged, Finished, Interrupted, Saved
from llmlab.gpt.distributed import Workers
from llmlab.gpt.generation import SamplingConfig, stream_text
from llmlab.gpt.pretraining import Event, Pretraining, PretrainingRecipe, Validation
from llmlab.gpt.saved.checkpoints import Checkpoint, checkpoints, keep_newest, load_checkpoint
from llmlab.gpt.saved.saved_runs import (
    CHECKPOINTS,
    TOKENIZER,
    remove_unfinished,
    require_new,
    resume_hint,
    write_checkpoint,
)
from llmlab.gpt.speed import fast_attention, flops_per_token, memory_bytes, peak_flops
from llmlab.gpt.steering import agreed
from llmlab.gpt.text.encoded_corpus import EncodedCorpus
from llmlab.gpt.training import Point
from llmlab.method.errors import LabError
from llmlab.method.json_values import json_value
from llmlab.runs.control import Helm, Steered, listen
from llmlab.runs.folder import RunFolder
from llmlab.runs.interrupt import deferred_interrupt
from llmlab.runs.log import RunLog

SAMPLE_TOKENS = 64
SAMPLING = SamplingConfig(temperature=0.8)

State = tuple[Mapping[str, Tensor], Mapping[str, object]]
"""Weights, and all else that a checkpoint holds."""


@dataclass(frozen=True)
class PretrainingSession:
    """One run in its folder.

    Attributes:
        checkpoint_every: steps between checkpoints; None for the last state alone.
        keep: how many of the newest checkpoints stay.
    """

    folder: Path
    recipe: PretrainingRecipe
    encoded: EncodedCorpus
    checkpoint_every: int | None = None
    keep: int = 3

    @property
    def log(self) -> RunLog:
        return RunFolder(self.folder).log

    @property
    def run(self) -> dict[str, object]:
        """What decides the numbers of the run; a checkpoint belongs to one of these."""
        recipe = asdict(self.recipe)
        return {
            **{f"shape.{name}": value for name, value in recipe.pop("shape").items()},
            **{f"train.{name}": json_value(value) for name, value in recipe.pop("train").items()},
            "batch_size": self.recipe.batch_size,
            "seed": self.recipe.seed,
            "validation_share": self.recipe.validation_share,
            "corpus": self.encoded.corpus.digest,
            "tokenizer": self.encoded.tokenizer.digest,
        }

    @cached_property
    def _helm(self) -> Helm:
        """Where requests from outside come in, once the run has begun."""
        return Helm(RunFolder(self.folder))

    def events(self, workers: Workers, *, resume: bool) -> "Iterator[SessionEvent]":
        """Train, logging every event and saving what was asked for.

        It ends with `Diverged` or `Interrupted` if training did; a run that is resumed after its
        last step gives only `Finished`. Ctrl-C takes effect between two steps, if one process
        trains alone. Requests from outside always do: the first process reads them, and all
        follow after the same step.

        Raises:
            LabError: the folder holds a run already and `resume` was not asked for; there is
                nothing to resume, or it was another run; a part of the text is too short; a file
                cannot be written; or there is no compiler to compile the model with.
        """
        checkpoint = self._checkpoint() if resume else None
        if checkpoint and workers.is_first:  # its file may be lost; the digests agree
            self.encoded.tokenizer.save(self.folder / TOKENIZER)
        if checkpoint and self._is_done(checkpoint.step):
            yield Finished(checkpoint.step)
            return
        if workers.is_first and not resume:
            require_new(self.folder)
        pretraining = self._start(workers, checkpoint)
        if workers.is_first:
            with resume_hint(self.folder):
                self._open(checkpoint)
                self.log.append("machine", self._machine(workers))
                listen(self.log)
        precision, context = self.recipe.train.precision, self.recipe.shape.context
        attention = fast_attention(precision, workers.device, context)
        with _compiling(self.recipe.compiled), attention:
            for event in self._training(pretraining, resumed_at=checkpoint and checkpoint.step):
                if workers.is_first:
                    with resume_hint(self.folder):
                        self._note(event, workers)
                        if isinstance(event, Validation):
                            self._sample(pretraining, event)
                yield event

    def _note(self, event: "SessionEvent", workers: Workers) -> None:
        """Log an event; a step with the memory that is in use."""
        seen = {"memory": memory_bytes(workers.device)} if isinstance(event, Point) else {}
        self.log.append(type(event).__name__.lower(), asdict(event) | seen)

    def _sample(self, pretraining: Pretraining, validation: Validation) -> None:
        """Log a sample of what the model writes, for live views.

        Several processes share the tensors of a model, and a compiled one would be compiled again
        for each length of a text, so these write none.
        """
        is_shared = pretraining.workers.world > 1
        if is_shared or self.recipe.compiled or not math.isfinite(validation.loss):
            return
        model, is_training = pretraining.model, pretraining.model.training
        text = "".join(stream_text(model, self.encoded.tokenizer, "", SAMPLE_TOKENS, SAMPLING))
        model.train(is_training)
        self.log.append("sample", {"step": validation.step, "sample": text})

    def _machine(self, workers: Workers) -> dict[str, object]:
        """The factor from speed to MFU; a CPU's peak would have to be measured first."""
        gpu = workers.device.type == "cuda"
        peak = peak_flops(workers.device, self.recipe.train.precision) if gpu else None
        return {
            "device": str(workers.device),
            "processes": workers.world,
            "flops_per_token": flops_per_token(self.recipe.shape),
            "peak_flops": peak and peak * workers.world,
        }

    def _start(self, workers: Workers, checkpoint: Checkpoint | None) -> Pretraining:
        """The run before its first step, or before the next one after a checkpoint."""
        # compiled in place, each process its own part of the model
        recipe = replace(self.recipe, compiled=False)
        with resuming_from(checkpoint):
            pretraining = Pretraining(recipe, self.encoded.tokens, workers, checkpoint)
            if checkpoint and workers.world == 1:  # of several, each has a part of the tensors
                require_fitting_optimizer(pretraining.trainer.optimizer)
        if self.recipe.compiled:
            pretraining.model.compile()
        return pretraining

    def _training(
        self, pretraining: Pretraining, resumed_at: int | None
    ) -> "Iterator[SessionEvent]":
        """The events of training, of all processes together, and what is saved between them."""
        saved_at, good, world = resumed_at, None, pretraining.workers.world
        _set_rate(pretraining, pretraining.workers.each(self._helm.rate)[0])
        with deferred_interrupt(world == 1) as interrupted:
            for event in pretraining.events():
                step = pretraining.trainer.step
                if isinstance(event, Point):
                    if not event.is_finite:
                        yield _stopped_at(event, self._keep_last_good(pretraining, good))
                        return
                    event = replace(event, tokens=event.tokens * world)
                elif isinstance(event, Validation) and math.isfinite(event.loss):
                    good = _copied(pretraining.state(), pretraining.workers.device)
                yield event
                stops = False
                if isinstance(event, Point) and not self._is_done(step):
                    for done in self._steer(pretraining, interrupted, saved_at):
                        saved_at = step if isinstance(done, Saved) else saved_at
                        yield done
                    stops = interrupted() or self._helm.is_stopped
                if step != saved_at and (stops or self._is_due(event, step)):
                    yield self._save(pretraining)
                    saved_at = step
                if stops:
                    yield Interrupted(step)
                    return

    def _steer(
        self, pretraining: Pretraining, interrupted: Callable[[], bool], saved_at: int | None
    ) -> Iterator[Saved | Steered]:
        """Carry out the requests since the last step; the same on all processes.

        Args:
            saved_at: steps done in the newest checkpoint; no step is saved twice.
        """
        step, agree = pretraining.trainer.step, partial(agreed, pretraining.workers)
        for request in self._helm.requests(interrupted, agree):
            if request.action == "checkpoint" and step != saved_at:
                yield self._save(pretraining)
                saved_at = step
            _set_rate(pretraining, request.rate)
            yield self._helm.followed(request, step)

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

    def _keep_last_good(self, pretraining: Pretraining, good: State | None) -> int:
        """Make the newest checkpoint that of the last state with a finite loss; return its step.

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
        shape, run = asdict(self.recipe.shape), {**self.run, **self._helm.record}
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
            cause = str(error).partition(";")[0].rstrip(".")
            raise LabError(
                f"{cause}; remove {found[-1]}, and --resume continues from {found[-2].name}."
            ) from error

    def _open(self, checkpoint: Checkpoint | None) -> None:
        """Prepare the folder; of a log, keep what came before the checkpoint."""
        remove_unfinished(self.folder)
        if checkpoint:
            self.log.cut(checkpoint.step)
            return
        self.encoded.tokenizer.save(self.folder / TOKENIZER)
        self.log.start(self.run)


SessionEvent = Event | Saved | Steered | Diverged | Interrupted | Finished


@contextmanager
def _compiling(compiled: bool) -> Iterator[None]:
    """Explain in one sentence why `torch.compile` fails here."""
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


def _set_rate(pretraining: Pretraining, rate: float | None) -> None:
    """Train on with another peak learning rate, if one was asked for."""
    if rate:
        trainer = pretraining.trainer
        trainer.config = replace(trainer.config, learning_rate=rate)


def _copied(state: State, on: device) -> State:
    """A copy that training does not change: on a CPU, a state's tensors are the model's own."""
    return copy.deepcopy(state) if on.type == "cpu" else state


def _step(state: State) -> int:
    """Steps done in a state."""
    return state[1]["step"]


def _stopped_at(point: Point, good: int) -> Diverged:
    last_good = good - 1 if good else None
    return Diverged(point.step, last_good, point.learning_rate, point.loss, point.gradient_norm)


def _shown(value: object) -> str:
    return value[:12] if isinstance(value, str) else str(value)
