"""Accelerators: datasheet values, with units checked on input.

The catalogue is `data/hardware.toml`; every entry names its source. `pint` parses units; the
simulator uses floats in FLOP/s, bytes, bytes/s and watts.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from llmlab.method.declare.catalog import suggestion
from llmlab.method.errors import LabError
from llmlab.method.files import packaged

if TYPE_CHECKING:
    import pint

UNITS = {
    "tensor_16bit": "flop/second",
    "tensor_8bit": "flop/second",
    "tensor_4bit": "flop/second",
    "memory": "byte",
    "memory_bandwidth": "byte/second",
    "link": "byte/second",
    "network": "byte/second",
    "power": "watt",
}
GPUS_PER_NODE = 8
"""Accelerators of a node: eight in most, and assumed for all."""
PLAIN = ("family", "year", "domain", "source")
ALIASES = {
    "A100": "A100-80GB",
    "A100-SXM4-40GB": "A100-40GB",
    "A100-SXM4-80GB": "A100-80GB",
    "TPU-v5lite": "TPU-v5e",
}
NOISE = re.compile(
    r"nvidia|amd|intel|habana|google|cloud|tesla|instinct|[dh]gx|sxm\d?|hbm\d?e?|nvl72"
)
"""Words in a name that do not tell accelerators of the catalogue apart."""
SIZE = re.compile(r"\d+gb")
NUMBER = re.compile(r"^\d+(?:\s*x\s*\d+)?(?:\s*[x*]\s*|\s+)(?=\D)|\s*[x*:]\s*\d+$")
"""How many, before a name or after it: "8x H100", "H100:8"."""


@dataclass(frozen=True)
class Accelerator:
    """One accelerator and its share of the interconnect, by its datasheet.

    Attributes:
        family: architecture; accelerators of one family share calibrated efficiencies.
        year: year of introduction.
        tensor_16bit, tensor_8bit, tensor_4bit: dense peak, FLOP/s; that of the next wider format
            if there is none.
        memory: bytes.
        memory_bandwidth: bytes/s.
        link: bytes/s in one direction to others in its fast domain.
        network: bytes/s in one direction to other domains.
        domain: number of accelerators joined by fast links.
        power: power limit in watts.
    """

    name: str
    family: str
    year: int
    tensor_16bit: float
    tensor_8bit: float
    tensor_4bit: float
    memory: float
    memory_bandwidth: float
    link: float
    network: float
    domain: int
    power: float
    source: str

    def peak(self, bits: int) -> float:
        """Dense peak for operands with `bits` bits, FLOP/s."""
        return {16: self.tensor_16bit, 8: self.tensor_8bit, 4: self.tensor_4bit}[bits]


def accelerator(name: str) -> Accelerator:
    """Find an accelerator by name; case, blanks, hyphens and underscores do not matter.

    Raises:
        LabError: the accelerator is not in the catalogue.
    """
    known = accelerators()
    found = _keys().get(_key(name)) or _described(name)
    if not found:
        raise LabError(
            f'there is no GPU "{name}"{suggestion(name, known)} in the catalogue; name one of '
            f"{', '.join(known)}."
        )
    return known[found]


@cache
def accelerators() -> dict[str, Accelerator]:
    """The whole catalogue, by name."""
    text = packaged("llmlab/cluster/data/hardware.toml").read_text(encoding="utf-8")
    return {name: _parsed(name, row) for name, row in tomllib.loads(text).items()}


def _parsed(name: str, row: dict) -> Accelerator:
    peak = magnitude(row["tensor_16bit"], "flop/second")
    values = {key: magnitude(row[key], unit) for key, unit in UNITS.items() if key in row}
    values.setdefault("tensor_8bit", peak)
    values.setdefault("tensor_4bit", values["tensor_8bit"])
    return Accelerator(name=name, **{key: row[key] for key in PLAIN}, **values)


@cache
def magnitude(text: str, unit: str) -> float:
    """Convert a quantity such as "80 GB" to a number in `unit`.

    Raises:
        LabError: the text is not a quantity, or has another dimension.
    """
    import pint

    try:
        return float(_units().Quantity(text).to(unit).magnitude)
    except (pint.PintError, AttributeError, ValueError, TypeError, AssertionError) as error:
        raise LabError(
            f'"{text}" is not a quantity in {unit}; write a number and a unit, as in "80 GB".'
        ) from error


@cache
def _units() -> "pint.UnitRegistry":
    import pint

    registry = pint.UnitRegistry()
    registry.define("flop = [operation] = FLOP")
    return registry


@cache
def _keys() -> dict[str, str]:
    named = {_key(name): name for name in accelerators()}
    return named | {_key(alias): name for alias, name in ALIASES.items()}


def _described(name: str) -> str | None:
    """The accelerator of a name with its number, maker, form factor or memory size, such as
    "8x NVIDIA H100 80GB HBM3"; None if the memory is another, or nothing in the catalogue fits."""
    one = NUMBER.sub("", name.strip().casefold().replace("×", "x"))
    joined = re.sub(r"(\d+) ?gi?b?\b", r"\1gb", one)
    words = [word for word in re.split(r"[\s_/,()-]+", joined) if not NOISE.fullmatch(word)]
    if named := _keys().get(_key("".join(words))):
        return named
    sizes = [word for word in words if SIZE.fullmatch(word)]
    found = _keys().get(_key("".join(word for word in words if word not in sizes)))
    if not found or len(sizes) > 1:
        return None
    memory = accelerators()[found].memory
    return found if all(abs(int(size[:-2]) * 1e9 / memory - 1) < 0.08 for size in sizes) else None


def _key(name: str) -> str:
    return name.casefold().replace(" ", "").replace("_", "").replace("-", "")
