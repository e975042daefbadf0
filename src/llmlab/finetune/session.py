"""A fine-tuning run in a folder: what it looks at, what it writes, and how it ends.

runs/micro-subtraction-lora/
    log.jsonl     one event a line, written as it happens: anything may follow it
    adapter/      what was learned, in the form of `peft`; after full fine-tuning model/ instead,
                  in the form of its base
    report.json   memory, what the quantiser did, accuracy before and after
"""

import hashlib
import itertools
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

from llmlab.finetune.adapters import save_adapter, save_tuned
from llmlab.finetune.bases import LEARNED, Base, SkillCodec
from llmlab.finetune.batches import Sequences, epochs, mixture
from llmlab.finetune.data import Skipped
from llmlab.finetune.instruments import Instruments, StepReport, block_of
from llmlab.finetune.lora import LoraSpec
from llmlab.finetune.memory import Memory, measure_memory, predict_memory
from llmlab.finetune.methods import Full, Method
from llmlab.finetune.qlora import QloraSpec, QuantisationReport, quantisation_report
from llmlab.finetune.suites import suite_accuracies
from llmlab.gpt.alarms import Alarm, SpikeAlarm
from llmlab.gpt.model import GPT
from llmlab.gpt.run_events import Saved
from llmlab.gpt.training import Batch, Evaluation, Point, TrainConfig, Trainer, evaluate
from llmlab.method.errors import LabError
from llmlab.method.files import unwritable, write_file
from llmlab.runs.interrupt import deferred_interrupt

LOG = "log.jsonl"
REPORT = "report.json"
ADAPTER, MODEL = LEARNED
INNER = "inner."
"""What precedes the names of layers in a model of `transformers`."""
KINDS = {Full: "full", LoraSpec: "lora", QloraSpec: "qlora"}
N_VALIDATIONS = 10
PAGED_BYTES = 2
"""Of 8-bit AdamW's two moments of a trained parameter."""
VALIDATION_ITEMS = 200
"""Of the test items, at each look during training."""


@dataclass(frozen=True)
class Material:
    """What a run learns from and is tested on, in tokens.

    Attributes:
        name: as it was asked for.
        training: rows of tokens; one example each, or several where they are packed.
        test: one example a row; None where none was kept apart.
        old: what the base learned before, replayed beside it; None for no replay.
        prompt: of a first test example, to try what was learned.
        n_examples: to learn from.
        skipped: bad lines that were left out.
        test_is_new: whether the test items are others than those to learn from.
    """

    name: str
    training: Sequences
    test: Sequences | None
    old: Sequences | None
    prompt: str
    n_examples: int
    skipped: tuple[Skipped, ...] = ()
    test_is_new: bool = True

    @property
    def digest(self) -> str:
        """SHA-256 of all tokens and of what counts among them, in hexadecimal digits."""
        found = hashlib.sha256()
        for part in filter(None, (self.training, self.test, self.old)):
            for tensor in (part.tokens_NT, part.targets_NT):
                found.update(f"{tuple(tensor.shape)}".encode() + tensor.cpu().numpy().tobytes())
        return found.hexdigest()


@dataclass(frozen=True)
class Recipe:
    """What decides a run, apart from base and data.

    Attributes:
        batch_size: rows of a step.
        n_replayed: how many of them are old ones.
        seed: fixes the start of an adapter and the order of the data.
        suite_items: test items of each of the base model's skills, to see what was forgotten.
    """

    method: Method
    train: TrainConfig
    batch_size: int
    n_replayed: int
    seed: int
    suite_items: int


@dataclass(frozen=True)
class Grades:
    """Exact answers: on the test items, and on each skill of the base model of the book.

    Attributes:
        accuracy: share of the `n_items` test items; None where there are none.
        suites: share of each skill's items; empty for another base.
    """

    accuracy: float | None
    loss: float | None
    n_items: int
    suites: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """The model is ready to be trained.

    Attributes:
        trained: parameters that are trained.
        quantisation: what the quantiser did; None where the base was not quantised.
    """

    trained: int
    predicted: Memory
    measured: Memory
    quantisation: QuantisationReport | None
    before: Grades


@dataclass(frozen=True)
class Step:
    """One step, and what it did to each layer where the instruments looked."""

    point: Point
    report: StepReport | None


@dataclass(frozen=True)
class Validation:
    """Loss in nats per token and exact answers on the first test items after so many steps."""

    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Diverged:
    """The loss left the finite numbers, and the step was not taken; or the last step's weights did.

    Attributes:
        step: that was not taken.
        kept: whether the weights before it are finite and saved.
    """

    step: int
    learning_rate: float
    loss: float
    gradient_norm: float
    kept: bool = False


@dataclass(frozen=True)
class Interrupted:
    """The user stopped the run after `step` steps."""

    step: int


@dataclass(frozen=True)
class Finished:
    """All steps are done.

    Attributes:
        seconds: that training took, with its looks at the test items.
        forgetting: mean over the skills of accuracy before minus after; None for another base.
    """

    before: Grades
    after: Grades
    seconds: float

    @property
    def forgetting(self) -> float | None:
        lost = [self.before.suites[name] - after for name, after in self.after.suites.items()]
        return sum(lost) / len(lost) if lost else None


Event = Prepared | Step | Validation | Alarm | Saved | Diverged | Interrupted | Finished


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
        with deferred_interrupt() as interrupted:
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
                file.write(_line({"event": _kind(event), **_fields(event)}))
        except OSError as error:
            raise unwritable(self.folder / LOG, error) from error


class StoredWeights:
    """The weights of a base as its files have them, fetched one layer at a time.

    So the error of a large model's quantisation costs the memory of one layer.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self._device = device
        self._file_of = {}
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, "pt") as file:
                self._file_of |= dict.fromkeys(file.keys(), path)

    def get_submodule(self, layer: str) -> nn.Linear:
        """A linear layer with the weight of the layer of that path, and nothing else."""
        name = f"{layer.removeprefix(INNER)}.weight"
        with safe_open(self._file_of[name], "pt", device=str(self._device)) as file:
            weight = file.get_tensor(name)
        found = nn.Linear(*weight.T.shape, bias=False, device="meta")
        found.weight = nn.Parameter(weight, requires_grad=False)
        return found


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


def has_skills(base: Base) -> bool:
    """Whether this is a base model of the book, which has skills to forget."""
    return isinstance(base.tokenizer, SkillCodec)


def n_parameters(base: Base) -> int:
    """Parameters of a base, those that are shared counted once, an adapter not counted."""
    return sum(
        math.prod(getattr(parameter, "quant_state", parameter).shape)
        for name, parameter in base.model.named_parameters()
        if not name.endswith((".a_RI", ".b_RO"))
    )


def layer_of(path: str) -> str:
    """The block of a parameter, named as in the model that `transformers` loads."""
    return block_of(path.removeprefix(INNER))


def _is_finite(model: nn.Module) -> bool:
    """Whether every weight that is trained is a number."""
    trained = (parameter for parameter in model.parameters() if parameter.requires_grad)
    return all(bool(parameter.isfinite().all()) for parameter in trained)


def paged_adamw(optimizer: torch.optim.AdamW) -> torch.optim.Optimizer:
    """AdamW over the same parameters with a state of 8 bits a number, on CUDA.

    Its state is moved to the host's memory while a long batch needs the device's (QLoRA,
    arXiv 2305.14314, section 3).
    """
    from bitsandbytes.optim import PagedAdamW8bit

    groups = [
        {"params": group["params"], "weight_decay": group["weight_decay"]}
        for group in optimizer.param_groups
    ]
    defaults = {name: optimizer.defaults[name] for name in ("lr", "betas")}
    return PagedAdamW8bit(groups, **defaults, min_8bit_size=0)  # small tensors, too


def _kind(event: Event) -> str:
    return "point" if isinstance(event, Step) else type(event).__name__.lower()


def _fields(event: Event) -> dict[str, object]:
    """Of a step those of its point, as `llmlab train` logs it, its speed and its layers."""
    if not isinstance(event, Step):
        return asdict(event)
    speed = event.point.tokens / event.point.seconds
    layers = asdict(event.report) if event.report else {}
    return {**asdict(event.point), "tokens_per_second": speed, **layers}


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
