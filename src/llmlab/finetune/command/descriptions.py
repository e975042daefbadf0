"""What a run is about to do, in lines of text."""

from collections.abc import Mapping, Sequence

from llmlab.finetune.command.config import TokenizedDataset
from llmlab.finetune.command.examples import SkippedLine
from llmlab.finetune.command.session import REPORT, FinetuneSession
from llmlab.finetune.model.catalog import n_parameters
from llmlab.finetune.model.lora import ALL_LINEAR, LoraSpec, beside_linear_layers, wide_layers
from llmlab.finetune.model.methods import Full, Method
from llmlab.finetune.model.pretrained import Pretrained
from llmlab.finetune.model.qlora import QloraSpec
from llmlab.method.documents import listed
from llmlab.method.wording import counted

FEW = 3
"""Bad lines that are printed; the report has all of them."""


def describe(session: FinetuneSession) -> str:
    """Lines that say which model is trained, on what data, and how."""
    config, data, base = session.config, session.data, session.base
    n_test = len(data.test.tokens_NT) if data.test else 0
    n_rows = len(data.training.tokens_NT)
    packed = f" packed in {counted(n_rows, 'row')}" if n_rows != data.n_examples else ""
    replayed = f", {config.n_replayed} of them replayed" if config.n_replayed else ""
    n_tokens = config.train.steps * config.batch_size * data.training.tokens_NT.shape[1]
    return (
        f"base    {base.name}: {n_parameters(base):,} parameters, context {base.context}\n"
        f"{_left_out(base.left_out)}"
        f"data    {data.name}: {counted(data.n_examples, 'example')}{packed}, "
        f"{_tested(n_test, data)} to test on{_skipped_lines(data.skipped)}"
        f"{_unread(data.unread)}{_splitting(data.n_splitting)}\n"
        f"method  {describe_method(config.method)}\n"
        f"{_not_adapted(config.method, base)}"
        f"train   {counted(config.train.steps, 'step')} of {counted(config.batch_size, 'row')}"
        f"{replayed} "
        f"({n_tokens:,} tokens)\n"
        f"        learning rate {config.train.learning_rate:g}, {config.train.precision}, "
        f"seed {config.seed}, on {session.device}"
    )


def _tested(n_items: int, data: TokenizedDataset) -> str:
    return f"{n_items:,} others" if data.test_is_new else f"the same {n_items:,}"


def _not_adapted(method: Method, base: Pretrained) -> str:
    """What "all linear layers" leaves out: gates of experts, or their fused weights."""
    lora = method.lora if isinstance(method, QloraSpec) else method
    if isinstance(lora, Full):
        return ""
    wide = wide_layers(base.model, lora.rank)
    if lora.target_modules not in (ALL_LINEAR, wide):
        return ""
    narrow = [name for name in wide_layers(base.model, rank=1) if wide and name not in wide]
    passed_over = (
        f"        not adapted, since it is narrower than the rank: {', '.join(narrow)}\n"
        if narrow
        else ""
    )
    found = beside_linear_layers(base.model)
    if not found:
        return passed_over
    n_left_out = sum(found.values())
    return passed_over + (
        f"        not adapted, since it is in no linear layer: {', '.join(found)}\n"
        f"        ({n_left_out:,} parameters, {n_left_out / n_parameters(base):.0%} of the base)\n"
    )


def _left_out(weights: Sequence[str]) -> str:
    """Weights of the base's files that are not used."""
    if not weights:
        return ""
    return f"        weights in its files that the model has no place for: {listed(weights, FEW)}\n"


def _unread(keys: Mapping[str, int]) -> str:
    """The keys of the file that nothing is learned from."""
    if not keys:
        return ""
    counts = ", ".join(f"{key!r} ({count:,})" for key, count in sorted(keys.items()))
    return f"\n        keys that are not read, in so many lines: {counts}"


def _splitting(n_examples: int) -> str:
    """A warning about answers that begin inside a token."""
    if not n_examples:
        return ""
    return (
        f"\n        in {n_examples:,} of them the answer begins inside a token, so the prompt "
        "alone\n        is cut into other tokens: move the space that ends a prompt to its answer"
    )


def _skipped_lines(skipped: Sequence[SkippedLine]) -> str:
    """How many lines were skipped, and why, for the first of them."""
    if not skipped:
        return ""
    reasons = [f"line {bad.line}: {bad.reason}" for bad in skipped[:FEW]]
    more = [f"all of them are in {REPORT}"] if len(skipped) > FEW else []
    count = f", {len(skipped):,} bad line{'s' * (len(skipped) > 1)} left out"
    return "\n        ".join([count, *reasons, *more])


def describe_method(method: Method) -> str:
    """The method in one line."""
    match method:
        case LoraSpec(rank=rank, alpha=alpha, scaling=scaling, target_modules=targets):
            on = targets if isinstance(targets, str) else ", ".join(targets)
            return f"LoRA, rank {rank}, alpha {alpha:g} ({scaling}), {on}"
        case QloraSpec(lora=lora, four_bit=four_bit):
            twice = ", quantised twice" if four_bit.double_quantisation else ""
            return f"Q{describe_method(lora)}; NF4{twice}"
    return "full fine-tuning: every weight is trained"
