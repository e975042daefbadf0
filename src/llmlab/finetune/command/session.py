"""A fine-tuning run in its folder.

runs/micro-subtraction-lora/
    log.jsonl     one event a line, written as it happens
    adapter/      the trained adapter, in the format of `peft`; after full fine-tuning model/
                  instead, in the format of the base model
    report.json   memory, quantisation error, accuracy before and after
"""

import json
import logging
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from llmlab.finetune.command.config import FinetuneConfig, TokenizedDataset
from llmlab.finetune.command.events import (
    Diverged,
    Event,
    Finished,
    Grades,
    Interrupted,
    Prepared,
    Saved,
    Step,
    Validation,
    event_fields,
    event_name,
)
from llmlab.finetune.model.adapters import save_adapter
from llmlab.finetune.model.catalog import WEIGHTS_FOLDERS, has_skills
from llmlab.finetune.model.hub import HubModel
from llmlab.finetune.model.lora import LoraLinear, LoraSpec
from llmlab.finetune.model.merging import save_model
from llmlab.finetune.model.methods import Full
from llmlab.finetune.model.pretrained import Pretrained, first_line
from llmlab.finetune.model.qlora import PAGED_BYTES, QloraSpec, paged_adamw
from llmlab.finetune.model.stored_weights import INNER, StoredWeights
from llmlab.finetune.observe.layers import LayerMonitor, block_of
from llmlab.finetune.observe.memory import Memory, measure_memory, predict_memory
from llmlab.finetune.observe.ordinary_text import text_rows
from llmlab.finetune.observe.quantisation import QuantisationReport, quantisation_report
from llmlab.finetune.tasks.batches import Sequences, epochs, mixture
from llmlab.finetune.tasks.suites import suite_accuracies
from llmlab.gpt.alarms import SpikeAlarm
from llmlab.gpt.model import GPT
from llmlab.gpt.speed import fast_attention
from llmlab.gpt.training import Batch, Evaluation, TrainConfig, Trainer, evaluate
from llmlab.method.errors import LabError
from llmlab.method.files import replaced, write_file
from llmlab.method.json_values import json_value
from llmlab.method.wording import counted
from llmlab.runs.control import Helm, listen
from llmlab.runs.folder import RunFolder
from llmlab.runs.interrupt import deferred_interrupt

REPORT = "report.json"
ADAPTER, MODEL = WEIGHTS_FOLDERS
KINDS = {Full: "full", LoraSpec: "lora", QloraSpec: "qlora"}
N_VALIDATIONS = 10
VALIDATION_ITEMS = 200
"""Test items of each validation during training."""
TEXT_ROWS, TEXT_WIDTH = 8, 128
"""Rows of ordinary text, and tokens of each, on which forgetting is measured."""


@dataclass(frozen=True)
class FinetuneSession:
    """One run in its folder.

    Attributes:
        every: steps between two measurements of the layers.
    """

    folder: Path
    base: Pretrained
    config: FinetuneConfig
    data: TokenizedDataset
    every: int = 1

    @property
    def saved_to(self) -> Path:
        """The folder of the trained weights."""
        return self.folder / (MODEL if isinstance(self.config.method, Full) else ADAPTER)

    @property
    def run(self) -> dict[str, object]:
        """What decides the numbers of the run."""
        config = asdict(self.config)
        return {
            "base": self.base.name,
            "base_identity": self.base.identity,
            "data": self.data.name,
            "data_digest": self.data.digest,
            "n_examples": self.data.n_examples,
            "n_skipped": len(self.data.skipped),
            "method": KINDS[type(self.config.method)],
            **dict(_flat(config.pop("method"), "method")),
            **dict(_flat(config.pop("train"), "train")),
            **config,
        }

    @cached_property
    def device(self) -> torch.device:
        return self.base.device

    @cached_property
    def _helm(self) -> Helm:
        """Where requests from outside come in, once the run has begun."""
        return Helm(RunFolder(self.folder))

    def events(self) -> Iterator[Event]:
        """Train, logging every event; ends with `Finished`, `Interrupted` or `Diverged`.

        Raises:
            LabError: the folder holds a run already, the method does not fit the base model, or a
                file cannot be written; it says where the weights are then.
        """
        RunFolder(self.folder).require_empty()
        model, prepared = self._prepare()
        log = RunFolder(self.folder).log
        log.start(self.run)
        run, saved, steps = self._run(model, prepared), None, 0
        try:
            listen(log)
            for event in run:
                if isinstance(event, Step):
                    saved, steps = None, event.point.step + 1
                elif isinstance(event, Saved):
                    saved = event.folder
                log.append(event_name(event), event_fields(event, self.device))
                yield event
        except LabError as error:  # nothing but writing can fail from here on
            run.close()
            weights = saved or (self._rescued(model) if steps else None)
            raise _unwritten(error, self.folder, weights, steps) from error

    def _prepare(self) -> tuple[nn.Module, Prepared]:
        """The model to train; a step at learning rate 0 measures the memory that it needs."""
        batch, config = next(self._batches()), self.config
        predicted = self._predicted(tuple(batch[0].shape))
        before = self._grades(self.base.model)
        model = config.method.adapt(self.base.model, config.seed).to(self.device)
        standing = self._trainer(model, replace(config.train, learning_rate=0.0, steps=1))
        return model, Prepared(
            trained=sum(p.numel() for p in model.parameters() if p.requires_grad),
            predicted=predicted,
            measured=self._measured(standing, batch),
            quantisation=self._quantisation(model),
            before=before,
        )

    def _predicted(self, shape: tuple[int, int]) -> Memory | None:
        """What training will keep in memory; None for a model that needs numbers to run.

        Tensors without numbers know fewer operations than others (grouped products of experts are
        not among them in float32), and an estimate must not end a run that would train.
        """
        config = self.config
        optimizer_bytes = PAGED_BYTES if self._is_paged else None
        told = logging.getLogger("torch._subclasses.fake_tensor")
        level = told.level
        told.setLevel(logging.CRITICAL)  # its traceback would stand before the sentence
        try:
            return predict_memory(
                self.base.model, config.method, shape, config.train.precision, optimizer_bytes
            )
        except (NotImplementedError, RuntimeError, TypeError, ValueError, AttributeError):
            return None
        finally:
            told.setLevel(level)

    def _measured(self, trainer: Trainer, batch: Batch) -> Memory:
        """What training keeps in memory; LabError if the model passes an adapter by."""
        try:
            return measure_memory(trainer, batch)
        except AttributeError as error:  # as the fused steps of a Mamba do with out_proj
            if LoraLinear.__name__ not in str(error):
                raise
            raise LabError(
                f"{self.base.name} reads the weights of an adapted layer itself instead of calling "
                f"the layer ({first_line(error)}), so an adapter there cannot be trained: leave "
                "that layer out with --target-modules, or choose --method full."
            ) from error

    def _run(self, model: nn.Module, prepared: Prepared) -> Iterator[Event]:
        """The events of a prepared run; the weights are saved however training ends."""
        yield prepared
        began = time.perf_counter()
        end: Diverged | Interrupted | None = None
        for event in self._training(model):
            if isinstance(event, Diverged | Interrupted):
                end = event
            else:
                yield event
        seconds = time.perf_counter() - began
        n_steps = end.step if end else self.config.train.steps
        is_sound = n_steps > 0 and _is_finite(model)
        if is_sound:
            self._save(model, self.saved_to)
            yield Saved(n_steps, str(self.saved_to))
        last = self._last(model, prepared, end, seconds, is_sound)
        self._write_report(prepared, last)
        yield last

    def _last(
        self,
        model: nn.Module,
        prepared: Prepared,
        end: Diverged | Interrupted | None,
        seconds: float,
        is_sound: bool,
    ) -> Diverged | Interrupted | Finished:
        """The last event; `is_sound` says whether the weights are finite."""
        steps, rate = self.config.train.steps, self.config.train.learning_rate
        if isinstance(end, Diverged):
            return replace(end, kept=is_sound)
        if not is_sound:  # the last step broke them, after the last loss
            return Diverged(end.step if end else steps, rate, math.nan, math.nan)
        try:
            return end or Finished(prepared.before, self._grades(model), seconds)
        except KeyboardInterrupt:
            return Interrupted(steps)

    def _training(self, model: nn.Module) -> Iterator[Event]:
        """Steps and validations; if training ends early, the last event says why."""
        trainer = self._trainer(model, self.config.train)
        monitor = LayerMonitor(trainer, every=self.every, layer_of=layer_of)
        spikes = SpikeAlarm()
        width = self.data.training.tokens_NT.shape[1]
        attention = fast_attention(self.config.train.precision, self.device, width)
        with deferred_interrupt() as interrupted, attention:
            for point, report in monitor.points(self._batches()):
                if not point.is_finite:
                    yield Diverged(point.step, point.learning_rate, point.loss, point.gradient_norm)
                    return
                yield Step(point, report)
                if alarm := spikes.see(point.step, point.loss):
                    yield alarm
                if trainer.step < self.config.train.steps:
                    yield from self._steer(trainer, interrupted)
                    if interrupted() or self._helm.is_stopped:
                        yield Interrupted(trainer.step)
                        return
                if self._is_validated(trainer.step):
                    yield self._validate(model, trainer.step)

    def _steer(self, trainer: Trainer, interrupted: Callable[[], bool]) -> Iterator[Event]:
        """Follow what was asked since the last step."""
        for request in self._helm.requests(interrupted):
            if request.action == "checkpoint":
                self._save(trainer.model, self.saved_to)
                yield Saved(trainer.step, str(self.saved_to))
            if request.rate:
                trainer.config = replace(trainer.config, learning_rate=request.rate)
            yield self._helm.followed(request, trainer.step)

    def _trainer(self, model: nn.Module, train: TrainConfig) -> Trainer:
        trainer = Trainer(model, train)
        if self._is_paged:
            trainer.optimizer = paged_adamw(trainer.optimizer)
        return trainer

    @property
    def _is_paged(self) -> bool:
        """Whether the optimizer is paged 8-bit AdamW, which needs CUDA."""
        return self.device.type == "cuda" and isinstance(self.config.method, QloraSpec)

    def _batches(self) -> Iterator[Batch]:
        config, new, old = self.config, self.data.training, self.data.old
        if old is None:
            return epochs(new.to(self.device), config.batch_size, config.seed)
        n_new = config.batch_size - config.n_replayed
        parts = [(new.to(self.device), n_new), (old.to(self.device), config.n_replayed)]
        return mixture(parts, config.seed)

    def _is_validated(self, step: int) -> bool:
        """Whether to validate after `step` steps; the last step is graded in full instead."""
        steps = self.config.train.steps
        due = step % max(1, math.ceil(steps / N_VALIDATIONS)) == 0
        return self.data.test is not None and due and step < steps

    def _validate(self, model: nn.Module, step: int) -> Validation:
        test = self.data.test
        first = Sequences(test.tokens_NT[:VALIDATION_ITEMS], test.targets_NT[:VALIDATION_ITEMS])
        found = self._evaluate(model, first)
        return Validation(step, found.loss, found.accuracy)

    def _grades(self, model: nn.Module) -> Grades:
        test, n_items = self.data.test, self.config.suite_items
        found = self._evaluate(model, test) if test else None
        suites = suite_accuracies(model, n_items, self.device) if has_skills(self.base) else {}
        return Grades(
            accuracy=found and found.accuracy,
            loss=found and found.loss,
            n_items=len(found.correct) if found else 0,
            suites=suites,
            text_loss=self._loss_on_text(model) if isinstance(self.base.model, HubModel) else None,
        )

    def _loss_on_text(self, model: nn.Module) -> float:
        rows = text_rows(self.base.tokenizer, TEXT_ROWS, min(TEXT_WIDTH, self.base.context))
        return self._evaluate(model, rows).loss

    def _evaluate(self, model: nn.Module, test: Sequences) -> Evaluation:
        """In batches of the training size for large models, whose logits would fill the memory."""
        test = test.to(self.device)
        batch_size = 256 if isinstance(self.base.model, GPT) else self.config.batch_size
        return evaluate(model, test.tokens_NT, test.targets_NT, batch_size)

    def _quantisation(self, model: nn.Module) -> QuantisationReport | None:
        if not isinstance(self.config.method, QloraSpec):
            return None
        return quantisation_report(StoredWeights(self.base.folder, self.device), model)

    def _save(self, model: nn.Module, folder: Path) -> None:
        """Write the weights into `folder`, in place of earlier ones."""
        match self.config.method:
            case Full():
                with replaced(folder) as new:
                    save_model(model, self.base, new)
            case LoraSpec() as spec:
                save_adapter(model, spec, self.base, folder)
            case QloraSpec(lora=spec):
                save_adapter(model, spec, self.base, folder)

    def _rescued(self, model: nn.Module) -> str | None:
        """Where the weights are after all, since the run's folder cannot be written to."""
        if not _is_finite(model):
            return None
        for place in (Path(tempfile.gettempdir()), Path.home()):
            with suppress(OSError, LabError):
                folder = Path(tempfile.mkdtemp(prefix=f"{self.folder.name}-", dir=place))
                try:
                    self._save(model, folder / self.saved_to.name)
                except LabError:
                    shutil.rmtree(folder, ignore_errors=True)
                    continue
                return str(folder / self.saved_to.name)
        return None

    def _write_report(self, prepared: Prepared, end: Diverged | Interrupted | Finished) -> None:
        report = {
            "run": self.run,
            "skipped": [asdict(bad) for bad in self.data.skipped],
            "unread": dict(self.data.unread),
            "prepared": asdict(prepared),
            "outcome": type(end).__name__.lower(),
            **asdict(end),
            **self._helm.record,
        }
        if isinstance(end, Finished):
            report["forgetting"] = end.forgetting
        write_file(self.folder / REPORT, json.dumps(json_value(report), indent=2) + "\n")


def layer_of(path: str) -> str:
    """The block of a parameter, by its name in the model that `transformers` loads."""
    return block_of(path.removeprefix(INNER))


def _unwritten(error: LabError, folder: Path, weights: str | None, steps: int) -> LabError:
    """The error after a file of the run could not be written."""
    known = error.__cause__
    cause = (known.strerror or str(known)) if isinstance(known, OSError) else str(known or error)
    stopped = f"the run in {folder} stopped after {counted(steps, 'step')} ({cause.rstrip('.')})"
    if weights:
        return LabError(
            f"{stopped}; the weights are whole in {weights}: free some space, and move them to "
            "where you want to keep them."
        )
    lost = ", and the weights could be saved nowhere" if steps else ""
    return LabError(f"{stopped}{lost}: free some space, remove {folder}, and start again.")


def _is_finite(model: nn.Module) -> bool:
    """Whether every trainable weight is finite."""
    trained = (parameter for parameter in model.parameters() if parameter.requires_grad)
    return all(bool(parameter.isfinite().all()) for parameter in trained)


def _flat(settings: Mapping[str, object], path: str) -> Iterator[tuple[str, object]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}.{name}")
        else:
            yield f"{path}.{name}", value
