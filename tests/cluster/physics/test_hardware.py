import tomllib
from importlib.resources import files

import pytest

from llmlab.cluster.physics.hardware import PLAIN, UNITS, accelerators

CATALOGUE = tomllib.loads(
    files("llmlab.cluster").joinpath("data/hardware.toml").read_text(encoding="utf-8")
)
NOT_IN_ALL = {"tensor_8bit", "tensor_4bit"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_entry_has_every_key_and_no_other(name: str) -> None:
    assert CATALOGUE[name].keys() - NOT_IN_ALL == {*PLAIN, *UNITS} - NOT_IN_ALL


def test_narrower_formats_are_never_slower() -> None:
    for one in accelerators().values():
        assert one.tensor_16bit <= one.tensor_8bit <= one.tensor_4bit, one.name
