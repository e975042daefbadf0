import copy

import pytest
from torch import nn

from llmlab.finetune.model.base_model import new_base_model
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.qlora import (
    FourBit,
    QloraSpec,
    dequantise,
    quantise,
    quantised_layers,
)
from llmlab.finetune.observe.quantisation import quantisation_report
from llmlab.gpt.model import GPT
from llmlab.gpt.training import best_device
from llmlab.method.errors import LabError

SPEC = QloraSpec(LoraSpec(rank=4, alpha=8))


def base() -> GPT:
    model = new_base_model(d_model=64, n_layers=2, n_heads=2, context=8, seed=0)
    return model.to(best_device())


@pytest.mark.parametrize(("double", "bits"), [(False, 4.5), (True, 4.127)])
def test_the_report_counts_the_bits_of_a_weight(double: bool, bits: float) -> None:
    model = nn.Sequential(nn.Linear(512, 512))
    after = quantise(copy.deepcopy(model), FourBit(double_quantisation=double))
    report = quantisation_report(model, after)
    assert report.bits_per_weight == pytest.approx(bits, abs=1e-3)


def test_the_report_measures_each_layer_behind_its_adapter() -> None:
    before, after = base(), SPEC.adapt(base(), seed=0)
    report = quantisation_report(before, after)
    assert [layer.layer for layer in report.layers] == [name for name, _ in quantised_layers(after)]
    up = next(layer for layer in report.layers if layer.layer == "blocks.1.mlp.up")
    weight = before.blocks[1].mlp.up.weight
    change = dequantise(after.blocks[1].mlp.up.base) - weight
    assert up.relative_error == pytest.approx((change.norm() / weight.norm()).item(), rel=1e-4)
    assert sum(up.level_counts) == up.n_weights == weight.numel()
    assert sum(report.level_shares) == pytest.approx(1)


def test_the_levels_that_the_report_counts_rebuild_the_weights() -> None:
    model = nn.Sequential(nn.Linear(64, 64))
    after = quantise(copy.deepcopy(model), FourBit(double_quantisation=False))
    report = quantisation_report(model, after)
    scaled = dequantise(after[0]).view(-1, 64) / after[0].weight.quant_state.absmax[:, None]
    counted = [(scaled - level).abs().lt(1e-4).sum().item() for level in report.levels]
    assert counted == list(report.layers[0].level_counts)


def test_a_model_without_four_bits_has_no_report() -> None:
    with pytest.raises(LabError, match="quantise it first"):
        quantisation_report(base(), base())
