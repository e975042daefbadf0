import math

import pytest
import torch

from llmlab.gpt.model import GPT, IGNORE, GPTConfig, next_token_loss

CONFIG = GPTConfig(vocab_size=11, context=8, d_model=16, n_layers=2, n_heads=4)


@pytest.fixture
def model() -> GPT:
    torch.manual_seed(0)
    return GPT(CONFIG).eval()


def test_logits_have_one_score_per_vocabulary_entry(model: GPT) -> None:
    assert model(torch.zeros(3, 5, dtype=torch.long)).shape == (3, 5, 11)


def test_a_later_token_never_changes_an_earlier_prediction(model: GPT) -> None:
    tokens_BT = torch.randint(11, (1, 8))
    changed_BT = tokens_BT.clone()
    changed_BT[0, 5] = (changed_BT[0, 5] + 1) % 11
    difference_T = (model(tokens_BT) - model(changed_BT)).abs().amax(dim=-1)[0]
    assert difference_T[:5].max() == 0
    assert difference_T[5] > 0


def test_the_output_layer_shares_the_embedding(model: GPT) -> None:
    assert model.head.weight is model.token_embedding.weight


def test_parameter_count_follows_from_the_shape(model: GPT) -> None:
    d, block = 16, 12 * 16**2 + 13 * 16
    assert model.n_parameters() == 11 * d + 8 * d + 2 * block + 2 * d


def test_an_untrained_model_is_as_good_as_guessing(model: GPT) -> None:
    tokens_BT = torch.randint(11, (64, 8))
    loss = next_token_loss(model(tokens_BT), tokens_BT.roll(-1, dims=1))
    assert loss.item() == pytest.approx(math.log(11), abs=0.05)


def test_ignored_targets_do_not_count() -> None:
    logits_BTV = torch.randn(1, 2, 11)
    targets_BT = torch.tensor([[3, IGNORE]])
    alone = next_token_loss(logits_BTV[:, :1], targets_BT[:, :1])
    assert next_token_loss(logits_BTV, targets_BT) == alone


def test_a_sequence_longer_than_the_context_is_refused(model: GPT) -> None:
    with pytest.raises(ValueError, match="9 tokens does not fit the context of 8"):
        model(torch.zeros(1, 9, dtype=torch.long))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="d_model 10 is not divisible by n_heads 4"):
        GPTConfig(vocab_size=11, context=8, d_model=10, n_layers=1, n_heads=4)


@pytest.mark.parametrize("cuts", [[1, 1, 1, 1, 1, 1, 1, 1], [5, 1, 1, 1], [2, 3, 3], [8]])
def test_decoding_with_a_cache_gives_the_logits_of_the_whole(model: GPT, cuts: list[int]) -> None:
    tokens_BT = torch.randint(11, (3, 8), generator=torch.Generator().manual_seed(1))
    cache = model.new_cache(batch_size=3)
    parts = [model(part_BT, cache) for part_BT in tokens_BT.split(cuts, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), model(tokens_BT), rtol=1e-5, atol=1e-6)


def test_a_full_cache_takes_no_more(model: GPT) -> None:
    cache = model.new_cache(batch_size=1)
    model(torch.zeros(1, 8, dtype=torch.long), cache)
    with pytest.raises(ValueError, match="9 tokens does not fit the context of 8"):
        model(torch.zeros(1, 1, dtype=torch.long), cache)
