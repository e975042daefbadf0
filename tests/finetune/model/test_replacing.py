import torch
from torch import nn

from llmlab.finetune.model.replacing import replace_module


def test_a_module_takes_the_place_of_another_at_any_depth() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    replace_module(model, "1.1", nn.Identity())
    replace_module(model, "0", nn.Identity())
    x_BI = torch.randn(3, 2)
    assert torch.equal(model(x_BI), model.get_submodule("1.0")(x_BI))
