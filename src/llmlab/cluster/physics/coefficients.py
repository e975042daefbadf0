"""What datasheets do not say: the shares of the peaks that real kernels and wires reach.

They are fitted to published runs (`calibration`), within what is plausible, and shared by all runs:
none belongs to a row, a model or a source.
"""

import json
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.resources import files

FILE = "data/coefficients.json"


@dataclass(frozen=True)
class Coefficients:
    """The calibrated numbers of the simulator; the defaults are where a calibration starts.

    Attributes:
        gemm16_*, gemm8_*, gemm4_*: share of its peak that a large matrix product with operands of
            so many bits reaches, by family; `other` stands for families without runs.
        grouped: what products of experts keep of that share.
        power: exponent of the share of the family's highest power that an accelerator may draw.
        flash_eager_ampere, flash_eager_hopper, flash_compiled, flash_fused: share of the 16-bit
            peak that attention in one kernel reaches, by software, the first kernels by family.
        memory: share of the memory bandwidth that kernels reach.
        elementwise_*: by software, how often the activations between two matrix products
            go through memory, relative to the count in `kernels`.
        softmax: times that plain attention reads or writes its matrix of scores, forward.
        quantise_compiled, quantise_fused: times that operands are read or written to convert them
            to 8 or 4 bits.
        link: share of the fast links' bandwidth that collectives reach.
        network_ampere, network_other: the same between domains, by family.
        contention: of communication that lasts a small share of the compute that hides it, so
            many times that share stays exposed.
        launch: seconds of the host for one layer's kernels, forward.
        jitter: standard deviation of a rank's step, as a share; the slowest rank is waited for.
        optimizer: passes over the optimizer's state.
    """

    gemm16_ampere: float = 0.85
    gemm16_hopper: float = 0.70
    gemm16_blackwell: float = 0.70
    gemm16_ultra: float = 0.75
    gemm16_tpu: float = 0.75
    gemm16_other: float = 0.60
    gemm8_hopper: float = 0.65
    gemm8_blackwell: float = 0.65
    gemm8_ultra: float = 0.75
    gemm8_other: float = 0.50
    gemm4_other: float = 0.50
    grouped: float = 0.60
    power: float = 0.40
    flash_eager_ampere: float = 0.40
    flash_eager_hopper: float = 0.25
    flash_compiled: float = 0.35
    flash_fused: float = 0.50
    memory: float = 0.80
    elementwise_plain: float = 1.0
    elementwise_eager: float = 1.0
    elementwise_compiled: float = 0.8
    elementwise_fused: float = 0.6
    softmax: float = 8.0
    quantise_compiled: float = 3.0
    quantise_fused: float = 1.5
    link: float = 0.75
    network_ampere: float = 0.45
    network_other: float = 0.70
    contention: float = 1.5
    launch: float = 0.6e-3
    jitter: float = 0.01
    optimizer: float = 1.0

    def gemm(self, family: str, bits: int) -> float:
        return getattr(self, f"gemm{bits}_{family}", getattr(self, f"gemm{bits}_other"))

    def quantise(self, software: str) -> float:
        return getattr(self, f"quantise_{software}", self.quantise_compiled)

    def network(self, family: str) -> float:
        return getattr(self, f"network_{family}", self.network_other)

    def flash(self, family: str, software: str) -> float:
        general = getattr(self, f"flash_{software}", self.flash_fused)
        return getattr(self, f"flash_{software}_{family}", general)


SHARES = ("gemm", "flash", "grouped", "memory", "link", "network")
"""Beginnings of the names of coefficients that no run can lift above 1."""
NAMES = tuple(field.name for field in fields(Coefficients))


@cache
def calibrated() -> Coefficients:
    """The coefficients that the package carries, fitted to all published runs that it carries."""
    text = files("llmlab.cluster").joinpath(FILE).read_text(encoding="utf-8")
    return Coefficients(**json.loads(text)["coefficients"])


def to_json(coefficients: Coefficients, fitted_on: dict[str, int]) -> str:
    """The text of the coefficients' file: numbers, and how many rows of each source made them."""
    rounded = {name: float(f"{value:.5g}") for name, value in asdict(coefficients).items()}
    return json.dumps({"coefficients": rounded, "fitted_on": fitted_on}, indent=2) + "\n"
