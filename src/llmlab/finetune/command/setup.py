"""From what a user asks for to a fine-tuning run that can begin."""

import math
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional as F

from llmlab.finetune.command.config import Material, Recipe
from llmlab.finetune.command.encoding import encode_examples, prompt_tokens, spelled
from llmlab.finetune.command.examples import SKILL, Data, Example, open_data, skill_data
from llmlab.finetune.command.options import Options, check_options
from llmlab.finetune.command.session import Session, free_folder, refuse_another_run
from llmlab.finetune.model.hub import HUB
from llmlab.finetune.model.lora import ALL_LINEAR, LoraSpec
from llmlab.finetune.model.methods import Full, Method
from llmlab.finetune.model.opening import MICRO, has_skills, is_hub, open_base
from llmlab.finetune.model.pretrained import Base
from llmlab.finetune.model.qlora import FourBit, QloraSpec
from llmlab.finetune.tasks.batches import Sequences
from llmlab.finetune.tasks.skills import SKILLS
from llmlab.gpt.model import IGNORE
from llmlab.gpt.training import Precision, TrainConfig, best_precision
from llmlab.method.errors import LabError

RANK = 8
EPOCHS = 3.0
SUITE_ITEMS = 500
TEST_SHARE = 0.1
"""Of a file's examples that are kept apart to test on."""
RATES = {
    # our small bases, of width 128 or so: measured in the chapter on the learning rate
    "ours": {"full": 1e-3, "lora": 5e-3, "qlora": 5e-3},
    # large models: QLoRA (2305.14314, table 9) has 2e-4 for 7B; full about a tenth of it
    "hub": {"full": 2e-5, "lora": 2e-4, "qlora": 2e-4},
}


def open_session(options: Options, folder: Path | None, device: torch.device) -> Session:
    """A run that can begin: its base on `device`, its data in tokens.

    Args:
        folder: of the run; by default one in runs/ that is free.

    Raises:
        LabError: an option names nothing that there is, is out of its range or contradicts
            another one; the base or the data cannot be had, or do not fit each other.
    """
    check_options(options)
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
