"""From what a user asks for to a fine-tuning run that can begin."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from llmlab.finetune.bases import HUB, MICRO, Base, is_hub, open_base
from llmlab.finetune.batches import Sequences
from llmlab.finetune.data import (
    SKILL,
    Data,
    Example,
    encode_examples,
    open_data,
    prompt_tokens,
    skill_data,
    spelled,
)
from llmlab.finetune.lora import ALL_LINEAR, LoraSpec
from llmlab.finetune.methods import Full, Method
from llmlab.finetune.qlora import FourBit, QloraSpec
from llmlab.finetune.session import (
    Material,
    Recipe,
    Session,
    free_folder,
    has_skills,
    refuse_another_run,
)
from llmlab.finetune.skills import SKILLS
from llmlab.gpt.model import IGNORE
from llmlab.gpt.options import PRECISIONS
from llmlab.gpt.training import Precision, TrainConfig, best_precision
from llmlab.method.declare.catalog import suggestion
from llmlab.method.errors import LabError

METHODS = ("full", "lora", "qlora")
SCALINGS = ("alpha/r", "rslora")
RANK = 8
EPOCHS = 3.0
BATCH_SIZE = 32
SUITE_ITEMS = 500
TEST_SHARE = 0.1
"""Of a file's examples that are kept apart to test on."""
RATES = {
    # our small bases, of width 128 or so: measured in the chapter on the learning rate
    "ours": {"full": 1e-3, "lora": 5e-3, "qlora": 5e-3},
    # large models: QLoRA (2305.14314, table 9) has 2e-4 for 7B; full about a tenth of it
    "hub": {"full": 2e-5, "lora": 2e-4, "qlora": 2e-4},
}


@dataclass(frozen=True)
class Options:
    """What `llmlab finetune` can be told; None leaves it to the method and the base.

    Attributes:
        base: as `open_base` takes it.
        data: `skills:NAME`, or a file of JSON lines.
        method: one of `METHODS`.
        target_modules: names of layers, separated by commas; all linear layers by default.
        double_quantisation: of QLoRA's constants.
        epochs: times that the examples are read, unless `steps` says how long to train.
        precision: one of `PRECISIONS`.
        replay: share of each batch that the base has learned before.
        test_items: at most so many examples are tested on.
        every: steps between two looks of the instruments.
    """

    base: str = MICRO
    data: str = f"{SKILL}subtraction"
    method: str = "lora"
    rank: int | None = None
    alpha: float | None = None
    scaling: str | None = None
    target_modules: str | None = None
    double_quantisation: bool | None = None
    learning_rate: float | None = None
    epochs: float | None = None
    steps: int | None = None
    batch_size: int = BATCH_SIZE
    seed: int = 0
    precision: str = "auto"
    pack: bool = False
    skip_bad: bool = False
    replay: float = 0.0
    test_items: int = 1000
    every: int = 1


def open_session(options: Options, folder: Path | None, device: torch.device) -> Session:
    """A run that can begin: its base on `device`, its data in tokens.

    Args:
        folder: of the run; by default one in runs/ that is free.

    Raises:
        LabError: an option names nothing that there is, is out of its range or contradicts
            another one; the base or the data cannot be had, or do not fit each other.
    """
    _check(options)
    method = _method(options)
    precision = _precision(options.precision, device)
    target = folder or _free_folder(options)
    refuse_another_run(target)
    data = open_data(options.data, skip_bad=options.skip_bad)
    base = _base(options, method, device)
    if options.replay and not has_skills(base):
        raise LabError(
            f"what the base {options.base} has learned before is not known, so it cannot be "
            f"replayed: leave out --replay, or take the base {MICRO}."
        )
    material = _material(options, data, base)
    n_replayed = round(options.replay * options.batch_size)
    per_epoch = len(material.training.tokens_NT) / (options.batch_size - n_replayed)
    epochs = EPOCHS if options.epochs is None else options.epochs
    kind = "hub" if is_hub(options.base) else "ours"
    recipe = Recipe(
        method=method,
        train=TrainConfig(
            learning_rate=options.learning_rate or RATES[kind][options.method],
            steps=options.steps or math.ceil(epochs * per_epoch),
            precision=precision,
        ),
        batch_size=options.batch_size,
        n_replayed=n_replayed,
        seed=options.seed,
        suite_items=SUITE_ITEMS,
    )
    return Session(target, base, recipe, material, options.every)


def _check(options: Options) -> None:
    """See that each option is in its range and that none contradicts another one."""
    _choose(options.method, METHODS, "method")
    _choose(options.precision, PRECISIONS, "precision")
    if options.scaling is not None:
        _choose(options.scaling, SCALINGS, "scaling")
    adapters_own = ("rank", "alpha", "scaling", "target_modules")
    for name in adapters_own if options.method == "full" else ():
        if getattr(options, name) is not None:
            raise LabError(
                f"full fine-tuning has no adapter and so no {_flag(name)}: leave it out, or take "
                "--method lora."
            )
    if options.double_quantisation is not None and options.method != "qlora":
        raise LabError(
            f"--method {options.method} quantises nothing, so that there is nothing to quantise "
            "twice: leave out --double-quantisation, or take --method qlora."
        )
    if options.steps is not None and options.epochs is not None:
        raise LabError("--steps and --epochs both say how long to train: leave one of them out.")
    if options.epochs is not None and not 0 < options.epochs < math.inf:
        raise LabError(
            f"{options.epochs:g} epochs train nothing: take --epochs above 0, or --steps."
        )
    for name in ("learning_rate", "alpha"):
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise LabError(f"{_flag(name)} {value:g} learns nothing: take a number above 0.")
    _check_replay(options)


def _check_replay(options: Options) -> None:
    if not 0 <= options.replay < 1:
        raise LabError(
            f"a batch cannot replay the share {options.replay:g}: take one from 0 up to 1, as 0.2."
        )
    if options.replay and options.pack:
        raise LabError(
            "--pack fills rows with several examples and --replay counts examples: leave one of "
            "them out."
        )
    n_replayed = round(options.replay * options.batch_size)
    if options.replay and n_replayed in (0, options.batch_size):
        raise LabError(
            f"of {options.batch_size} examples a share of {options.replay:g} is {n_replayed}: "
            "take a larger --batch-size, or another --replay."
        )


def _choose(name: str, choices: Sequence[str], what: str) -> None:
    if name not in choices:
        raise LabError(
            f"there is no {what} '{name}'{suggestion(name, choices)}: "
            f"choose one of {', '.join(choices)}."
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _method(options: Options) -> Method:
    if options.method == "full":
        return Full()
    rank = options.rank or RANK
    lora = LoraSpec(
        rank=rank,
        alpha=2 * rank if options.alpha is None else options.alpha,
        scaling=options.scaling or "alpha/r",
        target_modules=_targets(options.target_modules),
    )
    if options.method == "lora":
        return lora
    return QloraSpec(lora, FourBit(double_quantisation=options.double_quantisation is not False))


def _targets(names: str | None) -> tuple[str, ...] | str:
    if names is None or names == ALL_LINEAR:
        return ALL_LINEAR
    return tuple(name.strip() for name in names.split(",") if name.strip()) or ALL_LINEAR


def _precision(name: str, device: torch.device) -> Precision:
    """On a CPU bf16 is no faster at these sizes, so that there it has to be asked for."""
    if name != "auto":
        return name
    return best_precision(device) if device.type == "cuda" else "float32"


def _free_folder(options: Options) -> Path:
    """`runs/BASE-DATA-METHOD`, or with the first number that is free."""
    name = f"{_short(options.base)}-{_short(options.data)}-{options.method}"
    return free_folder(Path("runs") / name)


def _short(name: str) -> str:
    """`Qwen2.5-0.5B` of `hf:Qwen/Qwen2.5-0.5B`, `facts-64` of `skills:facts:64`."""
    source = name.removeprefix(HUB).removeprefix(SKILL)
    return Path(source).resolve().name.removesuffix(".jsonl").replace(":", "-")


def _base(options: Options, method: Method, device: torch.device) -> Base:
    """Ours whole, so that it can be graded before it is quantised; a large one never is whole."""
    at_once = isinstance(method, QloraSpec) and is_hub(options.base)
    four_bit = method.four_bit if at_once else None
    return open_base(options.base, four_bit=four_bit, device=device)


def _material(options: Options, data: Data, base: Base) -> Material:
    if options.skip_bad:
        data = spelled(data, base.tokenizer, base.context)
    train, test = (data.train, data.test) if data.test else _held_out(data.train)
    test = test[: options.test_items]
    training = encode_examples(train, base.tokenizer, base.context, pack=options.pack)
    old = None
    if options.replay:
        old = encode_examples(_old_examples(), base.tokenizer, base.context)
        width = max(training.tokens_NT.shape[1], old.tokens_NT.shape[1])
        training, old = (_widened(part, width, base.tokenizer.pad) for part in (training, old))
    return Material(
        name=options.data,
        training=training,
        test=encode_examples(test, base.tokenizer, base.context) if test else None,
        old=old,
        prompt=base.tokenizer.decode(prompt_tokens((test or train)[0], base.tokenizer)),
        n_examples=len(train),
        skipped=data.skipped,
        test_is_new=not data.test_is_train,
    )


def _held_out(examples: Sequence[Example]) -> tuple[Sequence[Example], Sequence[Example]]:
    """Examples to train on and, drawn from all of them, those to test on: none of a few."""
    n_test = int(TEST_SHARE * len(examples))
    chosen = set(random.Random(0).sample(range(len(examples)), n_test))
    train = [example for index, example in enumerate(examples) if index not in chosen]
    return train, [examples[index] for index in sorted(chosen)]


def _old_examples() -> Sequence[Example]:
    """What the base model of the book was trained on."""
    return [example for name in SKILLS for example in skill_data(name).train]


def _widened(sequences: Sequences, width: int, pad: int) -> Sequences:
    """The same rows, padded to `width` tokens."""
    more = (0, width - sequences.tokens_NT.shape[1])
    return Sequences(
        F.pad(sequences.tokens_NT, more, value=pad), F.pad(sequences.targets_NT, more, value=IGNORE)
    )
