import torch

from llmlab.market.models.architecture import Architecture
from llmlab.market.models.transformer import MarketTransformer

SHAPE = Architecture(n_features=3, look_back=8, patch=4, d_model=8, n_layers=1, n_heads=2)


def test_a_sample_has_one_logit() -> None:
    assert MarketTransformer(SHAPE)(torch.randn(5, 8, 3)).shape == (5,)


def test_it_starts_at_the_base_rate() -> None:
    model = MarketTransformer(SHAPE)
    model.start_at(0.3)
    torch.testing.assert_close(torch.sigmoid(model(torch.randn(4, 8, 3))), torch.full((4,), 0.3))


def test_every_day_of_the_window_counts() -> None:
    model = MarketTransformer(SHAPE).eval()
    x_BLF = torch.randn(1, 8, 3, requires_grad=True)
    model(x_BLF).sum().backward()
    assert (x_BLF.grad.abs().sum(dim=-1) > 0).all()
