from pathlib import Path

import pytest

from llmlab.gpt.text import encoded_corpus
from llmlab.gpt.text.encoded_corpus import byte_pairs, each_character, encode, named_corpus, prepare
from llmlab.gpt.text.text_tokenizers import train_bpe


def test_a_corpus_becomes_tokens_by_a_tokenizer_made_from_it(text_file: Path) -> None:
    corpus = named_corpus(str(text_file))
    for make in (byte_pairs(280), each_character):
        encoded = prepare(corpus, make)
        assert encoded.tokenizer.decode(encoded.tokens.ids.tolist()) == text_file.read_text()
    assert byte_pairs(280)(corpus).vocab_size <= 280


def test_tokens_lie_in_the_folder_that_is_named(text_file: Path, tmp_path: Path) -> None:
    corpus = named_corpus(str(text_file))
    encoded = encode(corpus, each_character(corpus), tmp_path / "mine")
    assert encoded.tokens.path.parent == tmp_path / "mine" / "tokens"


def test_byte_pairs_are_trained_once_for_a_corpus_and_stay_the_same(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = named_corpus(str(text_file))
    trained = train_bpe(corpus.texts(), 280)
    first = byte_pairs(280)(corpus)
    monkeypatch.setattr(encoded_corpus, "train_bpe", lambda *_: pytest.fail("trained again"))
    kept = byte_pairs(280)(named_corpus(str(text_file)))
    assert trained.digest == first.digest == kept.digest
    (text,) = corpus.texts()
    assert trained.encode(text) == kept.encode(text)


def test_another_text_or_vocabulary_has_byte_pairs_of_its_own(text_file: Path) -> None:
    corpus = named_corpus(str(text_file))
    made = [byte_pairs(280)(corpus), byte_pairs(270)(corpus), byte_pairs(280)(corpus.head(200))]
    assert len({tokenizer.digest for tokenizer in made}) == 3


def test_damaged_byte_pairs_are_trained_again(text_file: Path, tmp_path: Path) -> None:
    corpus = named_corpus(str(text_file))
    whole = byte_pairs(280, tmp_path)(corpus)
    (path,) = (tmp_path / "tokenizers").glob("*.json")
    path.write_bytes(path.read_bytes()[:100])
    assert byte_pairs(280, tmp_path)(corpus).digest == whole.digest
    assert byte_pairs(280, tmp_path)(corpus).digest == whole.digest


def test_the_beginning_of_a_corpus_is_whole_lines_of_it(text_file: Path) -> None:
    head = named_corpus(str(text_file), 100)
    text = "".join(head.texts())
    assert head.bytes == len(text) <= 100
    assert text_file.read_text().startswith(text)
    assert text.endswith("\n")
    assert named_corpus(str(text_file), 10**9).bytes == len(text_file.read_text())
