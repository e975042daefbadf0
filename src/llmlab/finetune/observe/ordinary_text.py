"""Ordinary text, whose loss before and after shows what a pretrained model forgot.

Nobody can list what such a model knows; source code it has read.
"""

from llmlab.finetune.model.codecs import TextCodec
from llmlab.finetune.tasks.batches import Sequences, padded
from llmlab.finetune.tasks.texts import TokenizedText
from llmlab.gpt.text.encoded_corpus import named_corpus

TEXT_BYTES = 60_000
"""Source text of Python's standard library, from which rows of ordinary text are cut."""


def text_rows(codec: TextCodec, n_rows: int, width: int) -> Sequences:
    """The beginning of the ordinary text as rows of tokens, all of which count."""
    ids = codec.encode_prompt(ordinary_text())
    starts = range(0, n_rows * (width + 1), width + 1)
    rows = [TokenizedText(ids[at : at + width + 1], [True] * (width + 1)) for at in starts]
    return padded(rows, width, codec.pad)


def ordinary_text() -> str:
    """Text that a pretrained model knows the like of, and every machine has."""
    return "".join(named_corpus("stdlib", TEXT_BYTES).texts())
