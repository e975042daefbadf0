"""What a model is trained on: a corpus, the tokenizer that fits it, and its tokens on disk."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from llmlab.gpt.corpora import CorpusText, cache_folder, open_corpus
from llmlab.gpt.text_tokenizers import TextTokenizer, characters, train_bpe
from llmlab.gpt.token_dataset import TokenFile, prepare_tokens

MakeTokenizer = Callable[[Iterable[str]], TextTokenizer]
"""A tokenizer made from the texts of a corpus."""


@dataclass(frozen=True)
class EncodedCorpus:
    """A corpus, its tokenizer and its tokens."""

    corpus: CorpusText
    tokenizer: TextTokenizer
    tokens: TokenFile


def byte_pairs(vocab_size: int) -> MakeTokenizer:
    """Makes byte-level BPE with at most so many ids."""
    return lambda texts: train_bpe(texts, vocab_size)


def each_character(texts: Iterable[str]) -> TextTokenizer:
    """One id for each character."""
    return characters(texts)


def prepare(corpus: CorpusText, make: MakeTokenizer, cache: Path | None = None) -> EncodedCorpus:
    """The tokens of `corpus`, by a tokenizer that is made from it; errors as `prepare_tokens`.

    Args:
        cache: folder of the tokens; the user's cache by default.
    """
    return encode(corpus, make(corpus.texts()), cache)


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
