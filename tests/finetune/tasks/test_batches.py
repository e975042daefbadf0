import itertools

import pytest
import torch

from llmlab.finetune.tasks.batches import encode, epochs, mixture
from llmlab.finetune.tasks.skills import END, TOKENIZER, Item
from llmlab.gpt.model import IGNORE

ITEMS = [Item("1+1=", "2"), Item("47+38=", "85")]


def test_only_the_answer_counts() -> None:
    sequences = encode(ITEMS)
    for item, targets_T in zip(ITEMS, sequences.targets_NT, strict=True):
        counted = targets_T[targets_T != IGNORE].tolist()
        assert TOKENIZER.decode(counted) == item.answer + END


def test_a_target_is_the_next_token() -> None:
    sequences = encode(ITEMS)
    counted_NT = sequences.targets_NT[:, :-1] != IGNORE
    following_NT = sequences.tokens_NT[:, 1:]
    padding_NT = following_NT == TOKENIZER.PAD
    matches_NT = following_NT == sequences.targets_NT[:, :-1]
    assert (matches_NT | padding_NT)[counted_NT].all()


def test_a_text_longer_than_the_width_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 8 tokens but the context holds 5"):
        encode(ITEMS, width=5)


def test_an_epoch_shows_every_item_once() -> None:
    sequences = encode([Item(f"{i}=", str(i)) for i in range(10)])
    seen = torch.cat([tokens for tokens, _ in itertools.islice(epochs(sequences, 5, seed=3), 2)])
    assert sorted(seen[:, 0].tolist()) == sorted(sequences.tokens_NT[:, 0].tolist())


def test_a_batch_may_be_larger_than_the_data() -> None:
    tokens_BT, _ = next(epochs(encode(ITEMS), 5, seed=0))
    assert len(tokens_BT) == 5


def test_the_order_follows_from_the_seed() -> None:
    sequences = encode([Item(f"{i}=", str(i)) for i in range(10)])

    def order(seed: int) -> list[int]:
        return next(epochs(sequences, 10, seed))[0][:, 0].tolist()

    assert order(1) == order(1) != order(2)


def test_a_mixture_takes_a_fixed_share_of_every_part() -> None:
    ones, twos = (encode([Item(f"{digit}=", "0")]) for digit in (1, 2))
    tokens_BT, targets_BT = next(mixture([(ones, 4), (twos, 2)], seed=0))
    assert TOKENIZER.decode(tokens_BT[:, 0].tolist()) == "111122"
    assert len(targets_BT) == 6
