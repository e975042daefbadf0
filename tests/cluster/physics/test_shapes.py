import pytest

from llmlab.cluster.physics.shapes import gpt_of, known_shape, shape_named
from llmlab.method.errors import LabError


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("GPT-2 124M", 124_439_808),
        ("Llama 3.1 8B", 8_030_261_248),
        ("Llama 3.1 405B", 405_853_388_800),
        ("Mixtral 8x7B", 46_702_792_704),
    ],
)
def test_public_models_have_the_parameters_of_their_release(name: str, parameters: int) -> None:
    assert known_shape(name).parameters == parameters


def test_a_size_becomes_a_gpt_of_about_so_many_parameters() -> None:
    assert gpt_of(7e9).parameters == pytest.approx(7e9, rel=0.1)


def test_an_unknown_model_is_refused_with_the_list() -> None:
    with pytest.raises(LabError, match=r"Llama 3\.1 8B"):
        shape_named("Lama")
