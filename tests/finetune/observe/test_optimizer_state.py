import pytest
import torch
from torch import nn

from llmlab.finetune.observe.optimizer_state import (
    Moments,
    full_rate_share,
    moments,
    quantiles,
    rate_spread,
)


def adam_after(gradients: list[list[float]]) -> dict[str, Moments]:
    """Adam's memory of one parameter after these gradients, one step each."""
    model = nn.Module()
    model.w = nn.Parameter(torch.zeros(len(gradients[0])))
    model.unused = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, betas=(0.9, 0.95))
    for gradient in gradients:
        model.w.grad = torch.tensor(gradient)
        optimizer.step()
    return moments(model, optimizer)


def test_gradients_that_agree_use_the_whole_rate_whatever_their_size() -> None:
    found = adam_after([[1e-3, -10.0]] * 5)["w"]
    torch.testing.assert_close(found.size, torch.tensor([1e-3, 10.0]))
    torch.testing.assert_close(found.share, torch.ones(2), atol=1e-4, rtol=0)


def test_gradients_that_cancel_use_little_of_it() -> None:
    found = adam_after([[1.0], [-1.0]] * 20)["w"]
    assert found.size.item() == pytest.approx(1)
    assert found.share.item() < 0.1


def test_a_parameter_without_gradients_is_left_out() -> None:
    assert list(adam_after([[1.0]])) == ["w"]


def test_the_spread_counts_decades_among_the_weights_that_move() -> None:
    sizes = torch.tensor([0.0] * 50 + [1e-4] * 10 + [1.0] * 80 + [1e1] * 10)
    assert rate_spread({"w": Moments(sizes, torch.ones(150))}) == pytest.approx(5)


def test_the_share_at_full_rate_counts_only_weights_that_move() -> None:
    found = Moments(torch.tensor([0.0, 1.0, 1.0]), torch.tensor([0.0, 0.6, 0.1]))
    assert full_rate_share({"w": found}) == 0.5


def test_quantiles_of_even_steps() -> None:
    assert quantiles(torch.arange(101.0)) == pytest.approx([5, 25, 50, 75, 95])
