"""What a model is trained on: a corpus, the tokenizer that fits it, and its tokens on disk."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tokenizers

from llmlab.gpt.text.corpora import CorpusText, cache_folder, open_corpus
from llmlab.gpt.text.text_tokenizers import TextTokenizer, characters, load_tokenizer, train_bpe
from llmlab.gpt.text.token_dataset import TokenFile, locked, prepare_tokens
from llmlab.method.errors import LabError

MakeTokenizer = Callable[[CorpusText], TextTokenizer]
"""A tokenizer made from a corpus."""

LAYOUT = 1
"""Raise it with any change that trains other byte pairs on the same corpus."""


@dataclass(frozen=True)
class EncodedCorpus:
    """A corpus, its tokenizer and its tokens."""

    corpus: CorpusText
    tokenizer: TextTokenizer
    tokens: TokenFile


def byte_pairs(vocab_size: int, cache: Path | None = None) -> MakeTokenizer:
    """Makes byte-level BPE with at most so many ids; errors as `train_bpe` and `prepare_tokens`.

    It is trained once for each corpus and kept; others that want the same one wait for it.

    Args:
        cache: folder of the tokenizers; the user's cache by default.
    """

    def make(corpus: CorpusText) -> TextTokenizer:
        content = [LAYOUT, corpus.digest, vocab_size, tokenizers.__version__]
        key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
        path = (cache or cache_folder()) / "tokenizers" / f"{key}.json"
        with locked(path):
            try:
                return load_tokenizer(path)
            except LabError:  # it is not there yet, or damaged
                trained = train_bpe(corpus.texts(), vocab_size)
                trained.save(path)
                return trained

    return make


def each_character(corpus: CorpusText) -> TextTokenizer:
    """One id for each character."""
    return characters(corpus.texts())


def prepare(corpus: CorpusText, make: MakeTokenizer, cache: Path | None = None) -> EncodedCorpus:
    """The tokens of `corpus`, by a tokenizer that is made from it; errors as `prepare_tokens`.

    Args:
        cache: folder of the tokens; the user's cache by default.
    """
    return encode(corpus, make(corpus), cache)


def encode(
    corpus: CorpusText, tokenizer: TextTokenizer, cache: Path | None = None
) -> EncodedCorpus:
    """The tokens of `corpus` by a tokenizer that there is; errors as `prepare_tokens`."""
    folder = (cache or cache_folder()) / "tokens"
    return EncodedCorpus(corpus, tokenizer, prepare_tokens(corpus, tokenizer, folder))


def named_corpus(name: str, n_bytes: int | None = None) -> CorpusText:
    """A corpus by name or path, or its beginning; errors as `open_corpus` and `head`."""
    corpus = open_corpus(name)
    return corpus.head(n_bytes) if n_bytes and n_bytes < corpus.bytes else corpus
