"""From the user's options to a fine-tuning run that can begin."""

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn import functional as F

from llmlab.finetune.command.config import FinetuneConfig, TokenizedDataset
from llmlab.finetune.command.encoding import encodable, encode_examples, prompt_of, splits_token
from llmlab.finetune.command.examples import (
    SKILL,
    Dataset,
    Example,
    open_dataset,
    skill_dataset,
)
from llmlab.finetune.command.options import FinetuneOptions, check_options
from llmlab.finetune.command.session import FinetuneSession
from llmlab.finetune.model.catalog import (
    MICRO,
    MicroFolders,
    has_skills,
    is_hub,
    open_pretrained,
)
from llmlab.finetune.model.hub import HUB, require_end, require_linear_layers, require_spelling
from llmlab.finetune.model.lora import ALL_LINEAR, LoraSpec, target_layers, wide_layers
from llmlab.finetune.model.merging import require_mergeable
from llmlab.finetune.model.methods import Full, Method
from llmlab.finetune.model.pretrained import Pretrained
from llmlab.finetune.model.qlora import FourBit, QloraSpec
from llmlab.finetune.tasks.batches import Sequences
from llmlab.finetune.tasks.skills import SKILLS
from llmlab.gpt.model import IGNORE
from llmlab.gpt.training import Precision, TrainConfig, best_precision
from llmlab.method.errors import LabError
from llmlab.runs.folder import RUNS, RunFolder, first_free

RANK = 8
EPOCHS = 3.0
SUITE_ITEMS = 500
"""Defaults: rank of an adapter, passes over the data, test items of each old skill."""
TEST_SHARE = 0.1
"""Share of a file's examples that are held out for testing."""
RATES = {
    # our small models, of width 128 or so: measured in the chapter on the learning rate
    "ours": {"full": 1e-3, "lora": 5e-3, "qlora": 5e-3},
    # large models: QLoRA (2305.14314, table 9) takes 2e-4 for 7B; full fine-tuning a tenth of it
    "hub": {"full": 2e-5, "lora": 2e-4, "qlora": 2e-4},
}


@contextmanager
def open_session(
    options: FinetuneOptions,
    out: Path | None,
    device: torch.device,
    micro: MicroFolders = tuple,
) -> Iterator[FinetuneSession]:
    """Prepare a run: its base model on `device`, its data in tokens.

    The run's folder is held until the block ends, so that no other process writes into it.

    Args:
        out: the run's folder; by default one in runs/ that is free.
        micro: as for `open_pretrained`.

    Raises:
        LabError: the folder is taken; an option is unknown, out of its range or contradicts
            another one; the base model or the data cannot be loaded, or do not fit each other.
    """
    check_options(options)
    folder = RunFolder(out or _free_folder(options))
    with folder.held():
        folder.require_empty()
        dataset = open_dataset(options.data, skip_bad=options.skip_bad)
        base = _base(options, device, micro)
        config, data = _prepared(options, dataset, base)
        yield FinetuneSession(folder.path, base, config, data, options.every)


def _prepared(
    options: FinetuneOptions, dataset: Dataset, base: Pretrained
) -> tuple[FinetuneConfig, TokenizedDataset]:
    if options.replay and not has_skills(base):
        raise LabError(
            f"it is not known what {options.base} was trained on, so that cannot be replayed: "
            f"leave out --replay, or choose --base {MICRO}."
        )
    data = _tokenized(options, dataset, base)
    n_replayed = round(options.replay * options.batch_size)
    per_epoch = len(data.training.tokens_NT) / (options.batch_size - n_replayed)
    epochs = EPOCHS if options.epochs is None else options.epochs
    kind = "hub" if is_hub(options.base) else "ours"
    config = FinetuneConfig(
        method=_fitting(_method(options), base),
        train=TrainConfig(
            learning_rate=options.learning_rate or RATES[kind][options.method],
            steps=options.steps or math.ceil(epochs * per_epoch),
            precision=_precision(options.precision, base.device),
        ),
        batch_size=options.batch_size,
        n_replayed=n_replayed,
        seed=options.seed,
        suite_items=SUITE_ITEMS,
    )
    return config, data


def _method(options: FinetuneOptions) -> Method:
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


def _fitting(method: Method, base: Pretrained) -> Method:
    """The method; an adapter of all linear layers skips those narrower than its rank."""
    if isinstance(method, QloraSpec):
        return replace(method, lora=_fitting(method.lora, base))
    if isinstance(method, Full) or method.target_modules != ALL_LINEAR:
        return method
    wide = wide_layers(base.model, method.rank)
    is_partial = wide and wide != wide_layers(base.model, rank=1)
    return replace(method, target_modules=wide) if is_partial else method


def _targets(names: str | None) -> tuple[str, ...] | str:
    if names is None or names == ALL_LINEAR:
        return ALL_LINEAR
    return tuple(name.strip() for name in names.split(",") if name.strip()) or ALL_LINEAR


def _precision(name: str, device: torch.device) -> Precision:
    """On a CPU bf16 is no faster at these sizes, so it must be requested there."""
    if name != "auto":
        return name
    return best_precision(device) if device.type == "cuda" else "float32"


def _free_folder(options: FinetuneOptions) -> Path:
    """`runs/BASE-DATA-METHOD`, or with the first number that is free."""
    name = f"{_short(options.base)}-{_short(options.data)}-{options.method}"
    return first_free(RUNS / name)


def _short(name: str) -> str:
    """`Qwen2.5-0.5B` of `hf:Qwen/Qwen2.5-0.5B`, `facts-64` of `skills:facts:64`."""
    source = name.removeprefix(HUB).removeprefix(SKILL)
    return Path(source).resolve().name.removesuffix(".jsonl").replace(":", "-")


def _base(options: FinetuneOptions, device: torch.device, micro: MicroFolders) -> Pretrained:
    """A large model is loaded in four bits right away; ours in full, to be graded first."""
    method = _method(options)
    at_once = isinstance(method, QloraSpec) and is_hub(options.base)
    four_bit = method.four_bit if at_once else None
    base = open_pretrained(options.base, micro, four_bit=four_bit, device=device)
    require_spelling(base)
    require_end(base.tokenizer, options.base)
    if not isinstance(method, Full):
        require_linear_layers(base.model, options.base)
        lora = method.lora if isinstance(method, QloraSpec) else method
        require_mergeable(base.model, dict(target_layers(base.model, lora.target_modules)))
    return base


def _tokenized(options: FinetuneOptions, dataset: Dataset, base: Pretrained) -> TokenizedDataset:
    if options.skip_bad:
        dataset = encodable(dataset, base.tokenizer, base.context)
    train, test = (dataset.train, dataset.test) if dataset.test else _held_out(dataset.train)
    test = test[: options.test_items]
    training = encode_examples(train, base.tokenizer, base.context, pack=options.pack)
    old = None
    if options.replay:
        old = encode_examples(_old_examples(), base.tokenizer, base.context)
        width = max(training.tokens_NT.shape[1], old.tokens_NT.shape[1])
        training, old = (_widened(part, width, base.tokenizer.pad) for part in (training, old))
    return TokenizedDataset(
        name=options.data,
        training=training,
        test=encode_examples(test, base.tokenizer, base.context) if test else None,
        old=old,
        prompt=prompt_of((test or train)[0], base.tokenizer),
        n_examples=len(train),
        n_splitting=sum(splits_token(example, base.tokenizer) for example in train),
        skipped=dataset.skipped,
        unread=dataset.unread,
        test_is_new=not dataset.test_is_train,
    )


def _held_out(examples: Sequence[Example]) -> tuple[Sequence[Example], Sequence[Example]]:
    """Examples to train on and a random tenth to test on, which is none if there are few."""
    n_test = int(TEST_SHARE * len(examples))
    chosen = set(random.Random(0).sample(range(len(examples)), n_test))
    train = [example for index, example in enumerate(examples) if index not in chosen]
    return train, [examples[index] for index in sorted(chosen)]


def _old_examples() -> Sequence[Example]:
    """What the base model of the book was trained on."""
    return [example for name in SKILLS for example in skill_dataset(name).train]


def _widened(sequences: Sequences, width: int, pad: int) -> Sequences:
    """The same rows, padded to `width` tokens."""
    more = (0, width - sequences.tokens_NT.shape[1])
    return Sequences(
        F.pad(sequences.tokens_NT, more, value=pad), F.pad(sequences.targets_NT, more, value=IGNORE)
    )
