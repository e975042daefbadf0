import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from llmlab.gpt.inside.inspection import (
    Statistics,
    activation_statistics,
    attention_weights,
    copy_gain,
    induction_scores,
    logit_lens,
    outputs,
    previous_token_scores,
    repeated_tokens,
    residual_stream,
)
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.text.token_dataset import TokenSpan
from llmlab.method.errors import LabError

TEXT = "the cat sat, é"


def induction_model(n_ids: int = 8, context: int = 16) -> GPT:
    """A model whose weights are written by hand: layer 0 copies, layer 1 finds the copy.

    The residual stream holds the position, the token, and what layer 0 writes there: the token
    before. Layer 1 looks for the token before that is like its own.
    """
    width = context + 2 * n_ids
    model = GPT(GPTConfig(n_ids, context, width, n_layers=2, n_heads=1))
    position, token, before = torch.eye(width).split([context, n_ids, n_ids])
    with torch.no_grad():
        for block in model.blocks:
            for linear in (block.attention.qkv, block.attention.out, block.mlp.up, block.mlp.down):
                linear.weight.zero_()
        model.position_embedding.weight.copy_(position)
        model.token_embedding.weight.copy_(token)
        copy, find = (block.attention for block in model.blocks)
        query, key, value = copy.qkv.weight.split(width)
        query += 9 * position[:-1].T @ position[1:]
        key += position.T @ position
        value += before.T @ token
        copy.out.weight.copy_(torch.eye(width))
        query, key, _ = find.qkv.weight.split(width)
        query += 9 * token.T @ token
        key += token.T @ before
    return model


def test_attention_weights_are_those_of_the_model(model: GPT, tokens_BT: Tensor) -> None:
    attentions = [block.attention for block in model.blocks]
    weights_LBHTT = attention_weights(model, tokens_BT)
    assert weights_LBHTT.shape == (3, 2, 4, 9, 9)
    found = outputs(model, [module for a in attentions for module in (a.qkv, a)], tokens_BT)
    for layer, attention in enumerate(attentions):
        qkv_BTE, output_BTD = found[2 * layer : 2 * layer + 2]
        v_BHTK = qkv_BTE[..., -24:].unflatten(-1, (4, 6)).transpose(1, 2)
        mixed_BTD = (weights_LBHTT[layer] @ v_BHTK).transpose(1, 2).flatten(2)
        torch.testing.assert_close(attention.out(mixed_BTD), output_BTD)


def test_each_query_shares_one_among_itself_and_those_before(model: GPT, tokens_BT: Tensor) -> None:
    weights_LBHTT = attention_weights(model, tokens_BT)
    torch.testing.assert_close(weights_LBHTT.sum(dim=-1), torch.ones(3, 2, 4, 9))
    assert weights_LBHTT.triu(1).max() == 0


def test_the_logit_lens_ends_in_the_models_own_logits(model: GPT, tokens_BT: Tensor) -> None:
    logits_LBTV = logit_lens(model, tokens_BT)
    assert logits_LBTV.shape == (4, 2, 9, model.config.vocab_size)
    torch.testing.assert_close(logits_LBTV[-1], model.eval()(tokens_BT))


def test_the_stream_begins_with_the_embedding_and_grows_by_each_block(
    model: GPT, tokens_BT: Tensor
) -> None:
    stream_LBTD = residual_stream(model, tokens_BT)
    embedded_BTD = model.token_embedding(tokens_BT) + model.position_embedding.weight[:9]
    torch.testing.assert_close(stream_LBTD[0], embedded_BTD)
    for block, x_BTD, after_BTD in zip(model.blocks, stream_LBTD, stream_LBTD[1:], strict=False):
        torch.testing.assert_close(block(x_BTD), after_BTD)


def test_looking_leaves_no_hook_and_changes_no_weight(model: GPT, tokens_BT: Tensor) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    activation_statistics(model, tokens_BT)
    with pytest.raises(IndexError):
        attention_weights(model, torch.tensor([[9999]]))
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())


def test_statistics_are_those_of_the_library() -> None:
    x = torch.distributions.Exponential(1.0).sample((1000,)) - 3
    found = Statistics.of(x)
    assert found.mean == pytest.approx(x.mean().item(), rel=1e-5)
    assert found.std == pytest.approx(x.std(correction=0).item(), rel=1e-5)
    assert found.max == x.abs().max().item()
    assert found.kurtosis == pytest.approx(stats.kurtosis(x.numpy(), fisher=False), rel=1e-4)


def test_units_that_nothing_excites_are_dead(model: GPT, tokens_BT: Tensor) -> None:
    with torch.no_grad():
        model.blocks[1].mlp.up.bias[:24] = -100
    shares = [layer.dead_share for layer in activation_statistics(model, tokens_BT)]
    assert shares == [0, 0.25, 0]


def test_activations_are_those_after_the_block_and_after_the_gelu(
    model: GPT, tokens_BT: Tensor
) -> None:
    stream_LBTD = residual_stream(model, tokens_BT)
    last = activation_statistics(model, tokens_BT)[-1]
    assert last.name == "block 3"
    assert last.stream == Statistics.of(stream_LBTD[-1])
    (written_BTD,) = outputs(model, [model.blocks[-1].mlp], tokens_BT)
    (units_BTU,) = outputs(model, [model.blocks[-1].mlp.up], tokens_BT)
    units_BTU = torch.nn.functional.gelu(units_BTU, approximate="tanh")
    torch.testing.assert_close(model.blocks[-1].mlp.down(units_BTU), written_BTD)
    assert last.mlp == Statistics.of(units_BTU)


def test_a_sequence_is_repeated_and_has_no_token_twice(model: GPT) -> None:
    tokens_NT = repeated_tokens(model, n_tokens=7, n_sequences=5, seed=3)
    assert tokens_NT.shape == (5, 14)
    assert torch.equal(tokens_NT[:, :7], tokens_NT[:, 7:])
    assert all(len(set(row)) == 7 for row in tokens_NT.tolist())
    assert not torch.equal(tokens_NT, repeated_tokens(model, 7, 5, seed=4))
    chosen = repeated_tokens(model, 4, 5, seed=3, ids=[2, 3, 5, 8, 8])
    assert set(chosen.flatten().tolist()) == {2, 3, 5, 8}


def test_scores_find_the_heads_of_a_circuit_made_by_hand() -> None:
    model = induction_model()
    previous = previous_token_scores(model, n_tokens=8, n_sequences=4, seed=0)
    induction = induction_scores(model, n_tokens=8, n_sequences=4, seed=0)
    assert previous.shape == induction.shape == (2, 1)
    assert previous[0, 0] > 0.99
    # the first token takes itself for the one before: one query of eight finds two like its own
    assert induction[1, 0] == pytest.approx(1 - 1 / 16, abs=0.01)
    assert previous[1, 0] < 0.3
    assert induction[0, 0] < 0.01


def test_scores_of_even_attention_are_what_chance_gives() -> None:
    model = induction_model()
    for block in model.blocks:
        torch.nn.init.zeros_(block.attention.qkv.weight)
    chance = sum(1 / (query + 1) for query in range(8, 16)) / 8
    assert induction_scores(model, 8, 2, seed=0)[0].item() == pytest.approx(chance)
    chance = sum(1 / (query + 1) for query in range(1, 16)) / 15
    assert previous_token_scores(model, 8, 2, seed=0)[0].item() == pytest.approx(chance)


@pytest.mark.parametrize(("n_tokens", "ids"), [(17, None), (1, None), (5, [1, 2, 3, 3])])
def test_sequences_that_cannot_be_made_are_refused(
    model: GPT, n_tokens: int, ids: list[int] | None
) -> None:
    with pytest.raises(LabError, match=f"sequence of {n_tokens} different tokens"):
        induction_scores(model, n_tokens, 1, seed=0, ids=ids)


class Copier(GPT):
    """Knows nothing of a text at first, and all of it from the second token of its repetition."""

    def forward(self, tokens_BT: Tensor, cache: object = None) -> Tensor:
        half = (tokens_BT.shape[1] + 1) // 2
        logits_BTV = torch.zeros(*tokens_BT.shape, self.config.vocab_size)
        repeated_Bt = tokens_BT[:, 1:half]
        logits_BTV[:, half:].scatter_(2, repeated_Bt[..., None], 1e4)
        return logits_BTV


@pytest.mark.parametrize("context", [8, 9])
def test_copy_gain_is_what_the_repetition_saves(context: int) -> None:
    ids = np.random.default_rng(0).integers(50, size=100).astype("<u2")
    span = TokenSpan("text", ids, np.ones(50))
    shape = GPTConfig(50, context, d_model=8, n_layers=1, n_heads=1)
    assert copy_gain(Copier(shape), span) == pytest.approx(math.log(50))
    torch.manual_seed(0)
    assert copy_gain(GPT(shape), span) == pytest.approx(0, abs=0.05)
