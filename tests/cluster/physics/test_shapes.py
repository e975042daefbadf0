import re

import pytest

from llmlab.cluster.physics.shapes import SHAPES, Shape, gpt_of, known_shape, shape_named
from llmlab.method.errors import LabError


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("GPT-2 124M", 124_439_808),
        ("Llama 3.1 8B", 8_030_261_248),
        ("Llama 3.1 405B", 405_853_388_800),
        ("Mixtral 8x7B", 46_702_792_704),
        ("Llama 33B", 32_528_943_616),
        ("Llama 65B", 65_285_660_672),
        ("Mistral 7B", 7_241_732_096),
    ],
)
def test_public_models_have_the_parameters_of_their_release(name: str, parameters: int) -> None:
    assert known_shape(name).parameters == parameters


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_public_model_has_about_the_parameters_in_its_name(shape: Shape) -> None:
    size = re.search(r"([\d.]+x)?([\d.]+)([MBT])\b", shape.name)
    if size and not size[1]:  # a mixture such as 8x7B shares what is not in its experts
        said = float(size[2]) * {"M": 1e6, "B": 1e9, "T": 1e12}[size[3]]
        assert shape.parameters == pytest.approx(said, rel=0.25)


@pytest.mark.parametrize(
    ("hub_id", "name"),
    [
        ("meta-llama/Llama-3.1-8B", "Llama 3.1 8B"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "Llama 3.1 8B"),
        ("meta-llama/Llama-2-7b-chat-hf", "Llama 2 7B"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "Mixtral 8x7B"),
        ("deepseek-ai/DeepSeek-V3-0324", "DeepSeek V3"),
        ("Qwen/Qwen3-30B-A3B-Base", "Qwen3 30B A3B"),
        ("openai-community/gpt2", "GPT-2 124M"),
    ],
)
def test_a_public_model_is_known_by_its_hub_id(hub_id: str, name: str) -> None:
    assert known_shape(hub_id).name == name


@pytest.mark.parametrize("name", ["", "/", "-instruct", "meta-", "org/unheard-7B"])
def test_a_model_that_is_not_public_is_not_known(name: str) -> None:
    assert known_shape(name) is None


def test_a_size_becomes_a_gpt_of_about_so_many_parameters() -> None:
    assert gpt_of(7e9).parameters == pytest.approx(7e9, rel=0.1)


@pytest.mark.parametrize("name", ["7B", " 7 b ", "7000M", "7e9", "0.007T"])
def test_a_number_of_parameters_is_read_however_it_is_written(name: str) -> None:
    assert shape_named(name) == gpt_of(7e9)


@pytest.mark.parametrize("name", ["70", "20k", "200T", "-7B", "inf"])
def test_no_model_has_so_many_parameters(name: str) -> None:
    with pytest.raises(LabError, match="a model cannot have"):
        shape_named(name)


def test_an_unknown_model_is_refused_with_the_list() -> None:
    with pytest.raises(LabError, match=r"Llama 3\.1 8B"):
        shape_named("Lama")
