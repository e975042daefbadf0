import tomllib
from importlib.resources import files

import pytest

from llmlab.cluster.physics.hardware import PLAIN, UNITS, accelerator, accelerators
from llmlab.method.errors import LabError

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


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("8xH100", "H100"),
        ("8 x NVIDIA A100-SXM4-80GB", "A100-80GB"),
        ("8×H100", "H100"),
        ("2x8 H100", "H100"),
        ("H100:8", "H100"),
        ("H100 x8", "H100"),
        ("H100 (80 GB)", "H100"),
        ("H100 80 GiB", "H100"),
        ("A100 40G", "A100-40GB"),
        ("A100 (40GB)", "A100-40GB"),
        ("nvidia/H100", "H100"),
        ("8xGB200 NVL72", "GB200"),
    ],
)
def test_a_number_a_maker_and_a_size_do_not_hide_an_accelerator(told: str, name: str) -> None:
    assert accelerator(told).name == name


@pytest.mark.parametrize("told", ["8", "x8", "8x", "H100 (40 GB)", "100", "(80 GB)"])
def test_a_size_or_a_number_alone_is_no_accelerator(told: str) -> None:
    with pytest.raises(LabError, match="there is no GPU"):
        accelerator(told)
