import math

import pytest
import torch
from torch import Tensor, nn

from llmlab.finetune.model.base_model import new_base_model
from llmlab.finetune.model.lora import LoraSpec, add_lora
from llmlab.finetune.model.methods import Full
from llmlab.finetune.observe.layers import (
    LayerMonitor,
    StepReport,
    block_of,
    module_of,
)
from llmlab.gpt.training import Point, TrainConfig, Trainer

TOKENS_BT = torch.arange(16).view(2, 8)


def batches():
    while True:
        yield TOKENS_BT, TOKENS_BT + 1


def model(method=None) -> nn.Module:
    made = new_base_model(d_model=16, n_layers=2, n_heads=2, context=8, seed=0)
    return (method or Full()).adapt(made, seed=0)


def reports(
    trained: nn.Module, *, steps: int = 3, clip: float = 1.0, rate: float = 1e-2, **options
) -> list[tuple[Point, StepReport | None]]:
    trainer = Trainer(trained, TrainConfig(rate, steps, clip=clip))
    return list(LayerMonitor(trainer, **options).points(batches()))


@pytest.mark.parametrize(
    ("path", "block", "module"),
    [
        ("blocks.0.mlp.up.a_RI", "blocks.0", "blocks.0.mlp.up"),
        ("model.layers.3.mlp.down_proj.weight", "model.layers.3", "model.layers.3.mlp.down_proj"),
        ("token_embedding.weight", "token_embedding", "token_embedding"),
    ],
)
def test_the_layer_of_a_parameter(path: str, block: str, module: str) -> None:
    assert (block_of(path), module_of(path)) == (block, module)


class OneWeight(nn.Module):
    """Logits [1, 1, 2] = w, for any token: the gradient is softmax(w) - (1, 0)."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Linear(1, 2, bias=False)
        self.part.weight.data = torch.tensor([[0.0], [math.log(3)]])

    def forward(self, tokens_BT: Tensor) -> Tensor:
        return self.part(torch.ones(*tokens_BT.shape, 1))


@pytest.mark.parametrize("clip", [0.1, 10.0])
def test_one_step_by_hand(clip: float) -> None:
    """softmax(0, ln 3) = (1/4, 3/4), so the gradient is (-3/4, 3/4).

    Adam's first step moves each weight by the learning rate, and |w| = ln 3.
    """
    trainer = Trainer(OneWeight(), TrainConfig(0.01, steps=1, clip=clip))
    token = torch.zeros(1, 1, dtype=torch.long)
    ((_, report),) = LayerMonitor(trainer).points(iter([(token, token)]))
    assert report.gradient_norms == pytest.approx({"part": 0.75 * math.sqrt(2)}, rel=1e-5)
    assert report.update_ratios == pytest.approx(
        {"part": 0.01 * math.sqrt(2) / math.log(3)}, rel=1e-4
    )


@pytest.mark.parametrize("method", [Full(), LoraSpec(rank=4, alpha=16)])
@pytest.mark.parametrize("clip", [0.01, 1e6])
@pytest.mark.parametrize("layer_of", [block_of, module_of])
def test_the_squares_of_the_layers_norms_add_up(method, clip: float, layer_of) -> None:
    for point, report in reports(model(method), clip=clip, layer_of=layer_of):
        total = math.hypot(*report.gradient_norms.values())
        assert total == pytest.approx(point.gradient_norm, rel=1e-3)


def test_an_adapters_update_is_that_of_the_weight_it_acts_with() -> None:
    trained = add_lora(model(), LoraSpec(rank=4, alpha=16), seed=0)
    layer = trained.blocks[1].mlp.up
    trainer = Trainer(trained, TrainConfig(1e-2, steps=3))
    before = layer.delta_weight().detach()
    for _, report in LayerMonitor(trainer, layer_of=module_of).points(batches()):
        after = layer.delta_weight().detach()
        expected = (after - before).norm() / layer.base.weight.norm()
        assert report.update_ratios["blocks.1.mlp.up"] == pytest.approx(expected.item(), rel=1e-3)
        before = after


def test_a_block_pools_the_weights_of_its_modules() -> None:
    trained = model()
    trainer = Trainer(trained, TrainConfig(1e-2, steps=1))
    before = [p.detach().clone() for p in trained.blocks[0].parameters()]
    ((_, report),) = LayerMonitor(trainer).points(batches())
    after = trained.blocks[0].parameters()
    moved = math.hypot(*((p - q).detach().norm() for p, q in zip(after, before, strict=True)))
    stood = math.hypot(*(q.norm() for q in before))
    assert report.update_ratios["blocks.0"] == pytest.approx(moved / stood, rel=1e-4)


def test_what_is_frozen_is_not_reported() -> None:
    (_, report), *_ = reports(model(LoraSpec(rank=2, alpha=4)))
    assert list(report.gradient_norms) == list(report.update_ratios) == ["blocks.0", "blocks.1"]


def test_watching_changes_nothing() -> None:
    watched, alone = model(), model()
    seen = [point for point, _ in reports(watched)]
    assert seen == list(Trainer(alone, TrainConfig(1e-2, 3)).points(batches()))
    for one, other in zip(watched.parameters(), alone.parameters(), strict=True):
        assert torch.equal(one, other)


def test_every_so_many_steps_and_not_where_training_diverged() -> None:
    due = [report is not None for _, report in reports(model(), steps=5, every=2)]
    assert due == [True, False, True, False, True]
    *_, (point, report) = reports(model(), steps=50, rate=1e30)
    assert not point.is_finite
    assert report is None
