import itertools
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llmlab.gpt.text import corpora, token_dataset
from llmlab.gpt.text.corpora import CorpusText, open_corpus
from llmlab.gpt.text.text_tokenizers import END_OF_TEXT, TextTokenizer, characters, train_bpe
from llmlab.gpt.text.token_dataset import TokenBatches, TokenSpan, prepare_tokens
from llmlab.method.errors import LabError

DOCUMENTS = {"a.txt": "the cat sat\non the mat\n" * 5, "b.txt": "naïve 猫\n", "c.txt": "the end"}


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusText:
    (tmp_path / "pets").mkdir()
    for name, text in DOCUMENTS.items():
        (tmp_path / "pets" / name).write_text(text, encoding="utf-8")
    return open_corpus(tmp_path / "pets")


@pytest.fixture
def tokenizer() -> TextTokenizer:
    return train_bpe(DOCUMENTS.values(), 280)


def test_documents_are_joined_by_the_end_of_text(
    corpus: CorpusText, tokenizer: TextTokenizer, tmp_path: Path
) -> None:
    file = prepare_tokens(corpus, tokenizer, tmp_path)
    assert tokenizer.decode(file.ids) == END_OF_TEXT.join(corpus.texts())
    assert (file.ids == tokenizer.end_of_text).sum() == len(DOCUMENTS) - 1
    assert file.ids.dtype == np.uint16
    assert isinstance(file.ids, np.memmap)


def test_a_document_read_in_pieces_is_one_document(
    corpus: CorpusText, tokenizer: TextTokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpora, "PIECE", 16)
    monkeypatch.setattr(token_dataset, "PIECES_AT_ONCE", 2)
    assert len(list(corpus.texts())) > len(DOCUMENTS)
    file = prepare_tokens(corpus, tokenizer, tmp_path)
    texts = ["".join(document.pieces()) for document in corpus.documents]
    assert tokenizer.decode(file.ids) == END_OF_TEXT.join(texts)


def test_ids_of_a_large_vocabulary_are_kept_whole(tmp_path: Path) -> None:
    text = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x13000)]))
    (tmp_path / "signs.txt").write_text(text, encoding="utf-8", newline="")
    tokenizer = characters([text])
    file = prepare_tokens(open_corpus(tmp_path / "signs.txt"), tokenizer, tmp_path)
    assert file.ids.dtype == np.uint32
    assert tokenizer.decode(file.ids) == text


def test_tokens_are_encoded_once(
    corpus: CorpusText, tokenizer: TextTokenizer, tmp_path: Path
) -> None:
    first, again = (prepare_tokens(corpus, tokenizer, tmp_path / "cache") for _ in range(2))
    assert again.path.stat() == first.path.stat()
    others = [
        prepare_tokens(corpus.head(50), tokenizer, tmp_path / "cache"),
        prepare_tokens(corpus, characters(corpus.texts()), tmp_path / "cache"),
    ]
    assert len({file.path for file in [first, *others]}) == 3


def test_processes_that_want_the_same_tokens_get_them(
    corpus: CorpusText, tokenizer: TextTokenizer, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda _: prepare_tokens(corpus, tokenizer, tmp_path), range(8)))
    assert len({file.path.stat().st_ino for file in files}) == 1


@pytest.mark.parametrize("suffix", [".tokens", ".json"])
def test_a_truncated_file_is_made_again(
    corpus: CorpusText, tokenizer: TextTokenizer, tmp_path: Path, suffix: str
) -> None:
    whole = prepare_tokens(corpus, tokenizer, tmp_path).path.read_bytes()
    path = next(tmp_path.glob(f"*{suffix}"))
    path.write_bytes(path.read_bytes()[:-2])
    assert prepare_tokens(corpus, tokenizer, tmp_path).path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_named(
    corpus: CorpusText, tokenizer: TextTokenizer, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match=r"cannot write .*file"):
        prepare_tokens(corpus, tokenizer, tmp_path / "file" / "cache")


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_the_parts_hold_the_corpus_and_its_bytes(
    corpus: CorpusText, tokenizer: TextTokenizer, tmp_path: Path, share: float
) -> None:
    file = prepare_tokens(corpus, tokenizer, tmp_path)
    training, validation = file.split(share)
    assert np.array_equal(np.concatenate([training.ids, validation.ids]), file.ids)
    assert validation.n_tokens == round(share * len(file.ids))
    assert training.n_bytes + validation.n_bytes == corpus.bytes
    spelled = b"".join(tokenizer.token_bytes(index) for index in training.ids)
    assert training.n_bytes == len(spelled.replace(END_OF_TEXT.encode(), b""))


@pytest.mark.parametrize("share", [-0.1, 1, math.nan])
def test_a_share_that_leaves_nothing_is_refused(
    corpus: CorpusText, tokenizer: TextTokenizer, tmp_path: Path, share: float
) -> None:
    with pytest.raises(LabError, match="validation share of"):
        prepare_tokens(corpus, tokenizer, tmp_path).split(share)


def test_bits_per_byte_of_a_uniform_model_is_that_of_the_code() -> None:
    span = TokenSpan("four of 2 bytes", np.array([0, 1, 1, 0]), np.array([2, 2]))
    assert span.bits_per_byte(math.log(16)) == pytest.approx(4 * 4 / 8)


MEMORY = """
import resource, sys
from pathlib import Path
from llmlab.gpt.text.corpora import open_corpus
from llmlab.gpt.text.text_tokenizers import characters
from llmlab.gpt.text.token_dataset import prepare_tokens

def peak_mib(path: str) -> int:
    prepare_tokens(open_corpus(path), characters(["a cat"]), Path(sys.argv[1]))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

small = peak_mib(sys.argv[2])
print(peak_mib(sys.argv[3]) - small)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is Linux's")
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    for name, n_lines in [("small", 2**15), ("large", 2**18)]:
        (tmp_path / name).write_text("a cat sat on it\n" * n_lines)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *(str(tmp_path / n) for n in ("cache", "small", "large"))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 100  # MiB; 4M tokens at once would need more than 400


def span_of(n_tokens: int) -> TokenSpan:
    """Tokens 0, 1, 2, …: the first id of a window tells where it starts."""
    return TokenSpan("span", np.arange(n_tokens, dtype="<u2"), np.ones(n_tokens, int))


@st.composite
def batches(draw: st.DrawFn) -> TokenBatches:
    context = draw(st.integers(1, 20))
    n_tokens = draw(st.integers(context + 1, 300))
    return TokenBatches(
        span_of(n_tokens), context, draw(st.integers(1, 40)), draw(st.integers(0, 9))
    )


@given(batches())
def test_targets_are_the_tokens_that_follow(batches: TokenBatches) -> None:
    inputs_BT, targets_BT = batches.at(0)
    assert inputs_BT.shape == targets_BT.shape == (batches.batch_size, batches.context)
    assert inputs_BT.dtype == targets_BT.dtype == torch.int64
    assert torch.equal(targets_BT, inputs_BT + 1)
    assert torch.equal(inputs_BT, inputs_BT[:, :1] + torch.arange(batches.context))
    assert targets_BT.max() < batches.span.n_tokens


@given(batches())
def test_each_epoch_has_each_window_once(batches: TokenBatches) -> None:
    starts = torch.cat([batches.at(step)[0][:, 0] for step in range(batches.steps(epochs=3))])
    for epoch in starts[: 3 * batches.n_windows].view(3, batches.n_windows):
        in_order = epoch.sort().values
        assert torch.equal(in_order, in_order[0] + batches.context * torch.arange(len(epoch)))


@given(batches())
def test_an_epoch_leaves_out_less_than_two_windows(batches: TokenBatches) -> None:
    seen = batches.n_windows * batches.context + 1
    assert 0 <= batches.span.n_tokens - seen < 2 * batches.context


@given(batches(), st.lists(st.integers(0, 50), min_size=1, max_size=5))
def test_a_batch_depends_on_the_step_alone(batches: TokenBatches, steps: list[int]) -> None:
    asked = {step: batches.at(step) for step in steps}
    token_dataset._window_starts.cache_clear()
    for step in sorted(steps, reverse=True):
        assert all(map(torch.equal, asked[step], batches.at(step)))


@given(batches(), st.integers(1, 8), st.integers(0, 50))
def test_shards_together_are_the_batch(batches: TokenBatches, world: int, step: int) -> None:
    whole = TokenBatches(batches.span, batches.context, world * batches.batch_size, batches.seed)
    inputs_BT, targets_BT = whole.at(step)
    for rank in range(world):
        shard = whole.shard(rank, world)
        assert torch.equal(shard.at(step)[0], inputs_BT[rank::world])
        assert torch.equal(shard.at(step)[1], targets_BT[rank::world])
        assert shard.steps_per_epoch == whole.steps_per_epoch


def test_epochs_and_seeds_differ_in_order_and_start() -> None:
    one = TokenBatches(span_of(1000), context=10, batch_size=99, seed=0)
    other = TokenBatches(span_of(1000), context=10, batch_size=99, seed=1)
    orders = [one.at(0)[0][:, 0], one.at(1)[0][:, 0], other.at(0)[0][:, 0]]
    for a, b in itertools.combinations(orders, 2):
        assert not torch.equal(a, b)
    assert len({int(order.min()) for order in orders}) > 1


def test_steps_of_an_epoch_see_every_window() -> None:
    batches = TokenBatches(span_of(101), context=10, batch_size=4, seed=0)
    assert batches.n_windows == 9
    assert batches.steps_per_epoch == 3
    assert batches.steps(epochs=4) == 9
    assert batches.steps(epochs=0.5) == 2


def test_a_stream_goes_on_from_its_start() -> None:
    batches = TokenBatches(span_of(101), context=10, batch_size=4, seed=0)
    stream = itertools.islice(batches.stream(5, torch.device("cpu")), 7)
    for step, batch in zip(range(5, 12), stream, strict=True):
        assert all(map(torch.equal, batch, batches.at(step)))


def test_a_span_of_one_window_is_enough() -> None:
    inputs_BT, _ = TokenBatches(span_of(11), context=10, batch_size=2, seed=0).at(3)
    assert inputs_BT.tolist() == [list(range(10))] * 2


def test_a_span_shorter_than_the_context_is_refused() -> None:
    with pytest.raises(LabError, match=r"span has 10 tokens.*context of 10 \(which needs 11\)"):
        TokenBatches(span_of(10), context=10, batch_size=1, seed=0)


def test_the_refusal_names_the_part(
    corpus: CorpusText, tokenizer: TextTokenizer, tmp_path: Path
) -> None:
    _, validation = prepare_tokens(corpus, tokenizer, tmp_path).split(0.1)
    with pytest.raises(LabError, match="the validation part of pets has"):
        TokenBatches(validation, context=64, batch_size=1, seed=0)


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(LabError, match="batch of 6 windows cannot be shared by 4 processes"):
        TokenBatches(span_of(100), context=10, batch_size=6, seed=0).shard(0, 4)
