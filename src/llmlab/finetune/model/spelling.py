"""What a tokenizer makes of a text, as a digest that an adapter remembers."""

import hashlib
import json

from llmlab.finetune.model.codecs import HubCodec, RunCodec, TextCodec


def tokenizer_digest(codec: TextCodec) -> str | None:
    """SHA-256, in hexadecimal, of what a tokenizer does; None if it is a part of this program.

    A tokenizer of `transformers` has many forms that do the same, and saving it again changes its
    files. The digest therefore covers the text that all its tokens spell, and the tokens of it.
    """
    if isinstance(codec, RunCodec):
        return codec.tokenizer.digest
    if not isinstance(codec, HubCodec):
        return None
    text = codec.decode(range(len(codec.tokenizer)))
    ids = codec.tokenizer(text, verbose=False)["input_ids"]
    return hashlib.sha256(json.dumps([text, ids]).encode()).hexdigest()
