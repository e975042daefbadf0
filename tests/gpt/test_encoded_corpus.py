from pathlib import Path

from llmlab.gpt.encoded_corpus import byte_pairs, each_character, encode, named_corpus, prepare


def test_a_corpus_becomes_tokens_by_a_tokenizer_made_from_it(text_file: Path) -> None:
    corpus = named_corpus(str(text_file))
    for make in (byte_pairs(280), each_character):
        encoded = prepare(corpus, make)
        assert encoded.tokenizer.decode(encoded.tokens.ids.tolist()) == text_file.read_text()
    assert byte_pairs(280)(corpus.texts()).vocab_size <= 280


def test_tokens_lie_in_the_folder_that_is_named(text_file: Path, tmp_path: Path) -> None:
    corpus = named_corpus(str(text_file))
    encoded = encode(corpus, each_character(corpus.texts()), tmp_path / "mine")
    assert encoded.tokens.path.parent == tmp_path / "mine" / "tokens"


def test_the_beginning_of_a_corpus_is_whole_lines_of_it(text_file: Path) -> None:
    head = named_corpus(str(text_file), 100)
    text = "".join(head.texts())
    assert head.bytes == len(text) <= 100
    assert text_file.read_text().startswith(text)
    assert text.endswith("\n")
    assert named_corpus(str(text_file), 10**9).bytes == len(text_file.read_text())
