"""Text from any model that can be fine-tuned, before and after."""

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from llmlab.finetune.model.catalog import (
    MICRO,
    MicroFolders,
    is_hub,
    open_pretrained,
    unknown_model,
)
from llmlab.finetune.model.chat_templates import is_conversation
from llmlab.finetune.model.codecs import TextCodec, decode_stream
from llmlab.finetune.model.hub import require_end, require_spelling
from llmlab.finetune.model.merging import open_merged
from llmlab.finetune.model.peft_format import ADAPTER
from llmlab.finetune.model.pretrained import Pretrained
from llmlab.finetune.tasks.texts import Turn
from llmlab.gpt.generation import Sampler, SamplingConfig, generate, stream_text, window_start
from llmlab.gpt.model import GPT
from llmlab.gpt.saved.checkpoints import ABOUT, checkpoints
from llmlab.gpt.saved.saved_runs import open_model


def generate_text(
    name: str,
    prompt: str,
    n_tokens: int,
    config: SamplingConfig,
    *,
    cached: bool = True,
    base_name: str | None = None,
    micro: MicroFolders = tuple,
) -> Iterator[str]:
    """Stream a model's continuation of `prompt`.

    Args:
        name: a run or checkpoint of `llmlab train`, an adapter, or the name of a base model.
        cached: as for `llmlab.gpt.generation.generate`.
        base_name: an adapter's base model, if it is not where the adapter says it is.
        micro: as for `open_pretrained`.

    Raises:
        LabError: as `open_pretrained`, `open_merged` and `generate`.
    """
    folder = Path(name)
    if not (folder.is_dir() or name == MICRO or is_hub(name)):
        raise unknown_model(name, "run or model")
    if (folder / ADAPTER).is_file():
        base, model = open_merged(folder, base_name, micro)
        return continue_text(base, model, prompt, n_tokens, config, cached=cached)
    if (folder / ABOUT).is_file() or checkpoints(folder):
        model, tokenizer = open_model(folder)
        _say_what_is_unread(len(tokenizer.encode(prompt)), model.config.context)
        return stream_text(model, tokenizer, prompt, n_tokens, config, cached=cached)
    base = open_pretrained(name, micro, device=torch.device("cpu"))
    return continue_text(base, base.model, prompt, n_tokens, config, cached=cached)


def continue_text(
    base: Pretrained,
    model: nn.Module,
    prompt: str,
    n_tokens: int,
    config: SamplingConfig,
    *,
    cached: bool = True,
) -> Iterator[str]:
    """Stream how `model`, in the format of `base`, continues `prompt`.

    The text ends after `n_tokens` or at the end of an answer, if the tokenizer has a token for it.
    An empty prompt starts a new text.

    Args:
        cached: as for `llmlab.gpt.generation.generate`; for a GPT without an adapter only.

    Raises:
        LabError: the prompt has characters that the tokenizer does not know, or as
            `require_spelling` and `generate`.
    """
    codec = base.tokenizer
    require_spelling(base)
    ids = prompt_ids(codec, prompt) or _start(base)
    _say_what_is_unread(len(ids), base.context)
    if isinstance(model, GPT):
        tokens = generate(model, ids, n_tokens, config, cached=cached, stop=codec.end)
    else:
        tokens = _sample(base, model.eval(), ids, n_tokens, config)
    return decode_stream(codec.decode, ids, tokens)


def prompt_ids(codec: TextCodec, prompt: str) -> list[int]:
    """The tokens of a prompt as in training, where the template alone begins a conversation."""
    if codec.chat and is_conversation(prompt, codec.chat):
        return codec.chat.codec.tokens(prompt)[0]
    return codec.encode_prompt(prompt)


def _say_what_is_unread(n_ids: int, context: int) -> None:
    if n_unread := window_start(n_ids, context):
        print(
            f"The model reads {context:,} tokens at most: the first {n_unread:,} of the "
            f"{n_ids:,} in the prompt are left out.",
            file=sys.stderr,
        )


def _start(base: Pretrained) -> list[int]:
    """What an answer without a prompt follows in training; LabError without an end token."""
    require_end(base.tokenizer, base.name)
    text = base.tokenizer.encode([Turn("", "")])
    before = [index for index, counts in zip(text.ids, text.counts, strict=True) if not counts]
    return before or [base.tokenizer.end]


@torch.no_grad()
def _sample(
    base: Pretrained, model: nn.Module, ids: list[int], n_tokens: int, config: SamplingConfig
) -> Iterator[int]:
    sampler, device = Sampler(config), next(model.parameters()).device
    for _ in range(n_tokens):
        seen = ids[window_start(len(ids), base.context) :]
        token = sampler.draw(model(torch.tensor([seen], device=device))[0, -1].float())
        if token in base.tokenizer.stops:
            return
        ids = [*ids, token]
        yield token
