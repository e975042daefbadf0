import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.gpt.configs import PRESETS, n_parameters, preset
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.method.errors import LabError

MILLIONS = {"micro": 1, "nano": 10, "small": 50, "medium": 124}


@pytest.mark.parametrize("name", PRESETS)
def test_the_count_is_what_the_name_promises(name: str) -> None:
    assert preset(name).n_parameters() == pytest.approx(MILLIONS[name] * 1e6, rel=0.15)


@pytest.mark.parametrize(("name", "most"), [("micro", 1.1), ("nano", 12.2), ("small", 61)])
def test_the_vocabulary_fits_the_model(name: str, most: float) -> None:
    untied = preset(name).n_parameters(tied=False)
    assert untied <= most * 1e6
    assert untied - preset(name).n_parameters() < 0.25 * untied


def test_medium_is_gpt_2() -> None:
    assert preset("medium").n_parameters() == 124_439_808
    assert preset("medium").n_parameters(tied=False) == 163_037_184


@pytest.mark.parametrize("name", ["micro", "medium"])
def test_the_formula_counts_what_the_model_has(name: str) -> None:
    shape = preset(name).shape
    with torch.device("meta"):
        model = GPT(shape)
    assert n_parameters(shape) == model.n_parameters()
    untied = sum(parameter.numel() for parameter in model.state_dict().values())
    assert n_parameters(shape, tied=False) == untied


@settings(max_examples=20)
@given(st.integers(1, 90), st.integers(1, 50), st.integers(1, 9), st.integers(1, 4))
def test_the_formula_holds_for_any_shape(
    vocab_size: int, context: int, half_width: int, n_layers: int
) -> None:
    shape = GPTConfig(vocab_size, context, 2 * half_width, n_layers, n_heads=2)
    with torch.device("meta"):
        assert n_parameters(shape) == GPT(shape).n_parameters()


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(
        LabError, match=r"'mcro' \(did you mean 'micro'\?\): choose one of micro, n"
    ):
        preset("mcro")


def test_a_preset_goes_by_its_name() -> None:
    assert [found.name for found in PRESETS.values()] == [*PRESETS]
