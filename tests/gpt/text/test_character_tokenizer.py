import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.gpt.text.character_tokenizer import CharTokenizer

TOKENIZER = CharTokenizer(string.ascii_lowercase)


@given(st.text(string.ascii_lowercase))
def test_decoding_undoes_encoding(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.text(string.ascii_lowercase, min_size=1))
def test_no_character_is_padding(text: str) -> None:
    assert CharTokenizer.PAD not in TOKENIZER.encode(text)


def test_every_id_is_below_the_vocabulary_size() -> None:
    assert max(TOKENIZER.encode(string.ascii_lowercase)) == TOKENIZER.vocab_size - 1


def test_padding_is_left_out_of_the_text() -> None:
    assert TOKENIZER.decode([1, CharTokenizer.PAD, 2]) == "ab"


def test_an_unknown_character_is_named() -> None:
    with pytest.raises(ValueError, match="'7' is not in the tokenizer's alphabet"):
        TOKENIZER.encode("a7")


def test_a_repeated_character_is_refused() -> None:
    with pytest.raises(ValueError, match="holds a character twice"):
        CharTokenizer("abca")
