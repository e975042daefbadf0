"""A fine-tuning run in a folder: what it looks at, what it writes, and how it ends.

runs/micro-subtraction-lora/
    log.jsonl     one event a line, written as it happens: anything may follow it
    adapter/      what was learned, in the form of `peft`; after full fine-tuning model/ instead,
                  in the form of its base
    report.json   memory, what the quantiser did, accuracy before and after
"""

import itertools
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from llmlab.finetune.command.config import Material, Recipe
from llmlab.finetune.command.events import (
    Diverged,
    Event,
    Finished,
    Grades,
    Interrupted,
    Prepared,
    Step,
    Validation,
    fields_of,
    kind_of,
)
from llmlab.finetune.model.adapters import save_adapter
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.merging import save_tuned
from llmlab.finetune.model.methods import Full
from llmlab.finetune.model.opening import LEARNED, has_skills
from llmlab.finetune.model.pretrained import Base
from llmlab.finetune.model.qlora import PAGED_BYTES, QloraSpec, paged_adamw
from llmlab.finetune.model.stored_weights import INNER, StoredWeights
from llmlab.finetune.observe.layers import Instruments, block_of
from llmlab.finetune.observe.memory import measure_memory, predict_memory
from llmlab.finetune.observe.quantisation import QuantisationReport, quantisation_report
from llmlab.finetune.tasks.batches import Sequences, epochs, mixture
from llmlab.finetune.tasks.suites import suite_accuracies
from llmlab.gpt.alarms import SpikeAlarm
from llmlab.gpt.model import GPT
from llmlab.gpt.session import Saved, noted_interrupt
from llmlab.gpt.training import Batch, Evaluation, TrainConfig, Trainer, evaluate
from llmlab.method.errors import LabError
from llmlab.method.files import unwritable, write_file

LOG = "log.jsonl"
REPORT = "report.json"
ADAPTER, MODEL = LEARNED
KINDS = {Full: "full", LoraSpec: "lora", QloraSpec: "qlora"}
N_VALIDATIONS = 10
VALIDATION_ITEMS = 200
"""Of the test items, at each look during training."""


@dataclass(frozen=True)
class Session:
    """One run in its folder.

    Attributes:
        every: steps between two looks of the instruments.
    """

    folder: Path
    base: Base
    recipe: Recipe
    material: Material
    every: int = 1

    @property
    def saved_to(self) -> Path:
        """Where what was learned is kept."""
        return self.folder / (MODEL if isinstance(self.recipe.method, Full) else ADAPTER)

    @property
    def run(self) -> dict[str, object]:
        """What decides the numbers of the run."""
        recipe = asdict(self.recipe)
        return {
            "base": self.base.name,
            "base_identity": self.base.identity,
            "data": self.material.name,
            "data_digest": self.material.digest,
            "n_examples": self.material.n_examples,
            "n_skipped": len(self.material.skipped),
            "method": KINDS[type(self.recipe.method)],
            **dict(_flat(recipe.pop("method"), "method")),
            **dict(_flat(recipe.pop("train"), "train")),
            **recipe,
        }

    @cached_property
    def device(self) -> torch.device:
        return next(self.base.model.parameters()).device

    def events(self) -> Iterator[Event]:
        """Train, logging every event; ends with `Finished`, `Interrupted` or `Diverged`.

        Raises:
            LabError: the folder holds a run already, the method does not fit the base, or a file
                cannot be written.
        """
        refuse_another_run(self.folder)
        model, prepared = self._prepare()
        write_file(self.folder / LOG, _line({"event": "run", **self.run}))
        for event in self._run(model, prepared):
            self._log(event)
            yield event

    def _prepare(self) -> tuple[nn.Module, Prepared]:
        """The model to train, and what is known before: a step at rate 0 shows what it needs."""
        batch, recipe = next(self._batches()), self.recipe
        optimizer_bytes = PAGED_BYTES if self._is_paged else None
        predicted = predict_memory(
            self.base.model,
            recipe.method,
            tuple(batch[0].shape),
            recipe.train.precision,
            optimizer_bytes,
        )
        before = self._grades(self.base.model)
        model = recipe.method.adapt(self.base.model, recipe.seed).to(self.device)
        standing = self._trainer(model, replace(recipe.train, learning_rate=0.0, steps=1))
        return model, Prepared(
            trained=sum(p.numel() for p in model.parameters() if p.requires_grad),
            predicted=predicted,
            measured=measure_memory(standing, batch),
            quantisation=self._quantisation(model),
            before=before,
        )

    def _run(self, model: nn.Module, prepared: Prepared) -> Iterator[Event]:
        """The events of a prepared run; what was learned is kept however training ends."""
        yield prepared
        began = time.perf_counter()
        end: Diverged | Interrupted | None = None
        for event in self._training(model):
            if isinstance(event, Diverged | Interrupted):
                end = event
            else:
                yield event
        seconds = time.perf_counter() - began
        n_steps = end.step if end else self.recipe.train.steps
        is_sound = n_steps > 0 and _is_finite(model)
        if is_sound:
            yield self._save(model, n_steps)
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
        """What a run ends with, `is_sound` saying whether there are finite weights to keep."""
        steps, rate = self.recipe.train.steps, self.recipe.train.learning_rate
        if isinstance(end, Diverged):
            return replace(end, kept=is_sound)
        if not is_sound:  # no loss was computed of them any more
            return Diverged(end.step if end else steps, rate, math.nan, math.nan)
        try:
            return end or Finished(prepared.before, self._grades(model), seconds)
        except KeyboardInterrupt:
            return Interrupted(steps)

    def _training(self, model: nn.Module) -> Iterator[Event]:
        """Steps, and looks at the test items between; the last event says what ended it early."""
        trainer = self._trainer(model, self.recipe.train)
        instruments = Instruments(trainer, every=self.every, layer_of=layer_of)
        spikes = SpikeAlarm()
        with noted_interrupt() as interrupted:
            for point, report in instruments.points(self._batches()):
                if not point.is_finite:
                    yield Diverged(point.step, point.learning_rate, point.loss, point.gradient_norm)
                    return
                yield Step(point, report)
                if alarm := spikes.see(point.step, point.loss):
                    yield alarm
                if interrupted() and trainer.step < self.recipe.train.steps:
                    yield Interrupted(trainer.step)
                    return
                if self._is_validated(trainer.step):
                    yield self._validate(model, trainer.step)

    def _trainer(self, model: nn.Module, train: TrainConfig) -> Trainer:
        trainer = Trainer(model, train)
        if self._is_paged:
            trainer.optimizer = paged_adamw(trainer.optimizer)
        return trainer

    @property
    def _is_paged(self) -> bool:
        """Whether the optimizer is the paged one of 8 bits, which only CUDA has."""
        return self.device.type == "cuda" and isinstance(self.recipe.method, QloraSpec)

    def _batches(self) -> Iterator[Batch]:
        recipe, new, old = self.recipe, self.material.training, self.material.old
        if old is None:
            return epochs(new.to(self.device), recipe.batch_size, recipe.seed)
        n_new = recipe.batch_size - recipe.n_replayed
        parts = [(new.to(self.device), n_new), (old.to(self.device), recipe.n_replayed)]
        return mixture(parts, recipe.seed)

    def _is_validated(self, step: int) -> bool:
        """Whether there is a look at the test items after so many steps; the last one is graded."""
        steps = self.recipe.train.steps
        due = step % max(1, math.ceil(steps / N_VALIDATIONS)) == 0
        return self.material.test is not None and due and step < steps

    def _validate(self, model: nn.Module, step: int) -> Validation:
        test = self.material.test
        first = Sequences(test.tokens_NT[:VALIDATION_ITEMS], test.targets_NT[:VALIDATION_ITEMS])
        found = self._evaluate(model, first)
        return Validation(step, found.loss, found.accuracy)

    def _grades(self, model: nn.Module) -> Grades:
        test, n_items = self.material.test, self.recipe.suite_items
        found = self._evaluate(model, test) if test else None
        suites = suite_accuracies(model, n_items, self.device) if has_skills(self.base) else {}
        return Grades(
            accuracy=found and found.accuracy,
            loss=found and found.loss,
            n_items=len(found.correct) if found else 0,
            suites=suites,
        )

    def _evaluate(self, model: nn.Module, test: Sequences) -> Evaluation:
        """On batches as large as those of training: of a large vocabulary memory holds no more."""
        test = test.to(self.device)
        batch_size = 256 if isinstance(self.base.model, GPT) else self.recipe.batch_size
        return evaluate(model, test.tokens_NT, test.targets_NT, batch_size)

    def _quantisation(self, model: nn.Module) -> QuantisationReport | None:
        if not isinstance(self.recipe.method, QloraSpec):
            return None
        return quantisation_report(StoredWeights(self.base.folder, self.device), model)

    def _save(self, model: nn.Module, step: int) -> Saved:
        match self.recipe.method:
            case Full():
                save_tuned(model, self.base, self.saved_to)
            case LoraSpec() as spec:
                save_adapter(model, spec, self.base, self.saved_to)
            case QloraSpec(lora=spec):
                save_adapter(model, spec, self.base, self.saved_to)
        return Saved(step, str(self.saved_to))

    def _write_report(self, prepared: Prepared, end: Diverged | Interrupted | Finished) -> None:
        report = {
            "run": self.run,
            "skipped": [asdict(bad) for bad in self.material.skipped],
            "prepared": asdict(prepared),
            "outcome": type(end).__name__.lower(),
            **asdict(end),
        }
        if isinstance(end, Finished):
            report["forgetting"] = end.forgetting
        write_file(self.folder / REPORT, json.dumps(_finite(report), indent=2) + "\n")

    def _log(self, event: Event) -> None:
        try:
            with (self.folder / LOG).open("a") as file:
                file.write(_line({"event": kind_of(event), **fields_of(event)}))
        except OSError as error:
            raise unwritable(self.folder / LOG, error) from error


def free_folder(first: Path) -> Path:
    """That folder, or with the first number at which there is none yet."""
    numbered = (first.with_name(f"{first.name}-{number}") for number in itertools.count(2))
    return next(path for path in itertools.chain([first], numbered) if not path.exists())


def refuse_another_run(folder: Path) -> None:
    """See that no run is in `folder`.

    Raises:
        LabError: there is one.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise LabError(
            f"{folder} holds a run or other files already: name another folder with --out, or "
            "remove it."
        )


def layer_of(path: str) -> str:
    """The block of a parameter, named as in the model that `transformers` loads."""
    return block_of(path.removeprefix(INNER))


def _is_finite(model: nn.Module) -> bool:
    """Whether every weight that is trained is a number."""
    trained = (parameter for parameter in model.parameters() if parameter.requires_grad)
    return all(bool(parameter.isfinite().all()) for parameter in trained)


def _line(event: Mapping[str, object]) -> str:
    return json.dumps(_finite(event)) + "\n"


def _finite(value: object) -> object:
    """What JSON can hold: numbers that are not finite by name."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {name: _finite(item) for name, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value


def _flat(settings: Mapping[str, object], path: str) -> Iterator[tuple[str, object]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}.{name}")
        else:
            yield f"{path}.{name}", value
