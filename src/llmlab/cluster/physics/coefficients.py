"""Calibrated coefficients: the shares of datasheet peaks that real kernels and links achieve.

They are fitted to published runs (`calibration`) within plausible bounds, and shared by all runs:
none is specific to a row, a model or a source.
"""

import json
from dataclasses import asdict, dataclass, fields
from functools import cache

from llmlab.method.files import packaged

FILE = "llmlab/cluster/data/coefficients.json"


@dataclass(frozen=True)
class Coefficients:
    """The calibrated numbers of the simulator; a calibration starts from the defaults.

    Attributes:
        gemm16_*, gemm8_*, gemm4_*: share of the peak that large matrix products with 16-, 8- or
            4-bit operands achieve, by family; `other` covers families without runs.
        grouped: further factor for grouped products of experts.
        power: exponent of an accelerator's power limit relative to its family's highest.
        flash_eager_ampere, flash_eager_hopper, flash_compiled, flash_fused: share of the 16-bit
            peak that fused attention achieves, by software; for eager software also by family.
        memory: share of the memory bandwidth that kernels achieve.
        elementwise_*: memory traffic of activations between two matrix products, by software,
            relative to the count in `kernels`.
        softmax: reads and writes of the score matrix in plain attention, forward.
        quantise_compiled, quantise_fused: reads and writes of operands for conversion to 8 or 4
            bits.
        link: share of the fast links' bandwidth that collectives achieve.
        network_ampere, network_other: the same between domains, by family.
        contention: if communication takes a small share of the compute that hides it, the exposed
            share of communication is this factor times that share.
        launch: seconds of host time for one layer's kernels, forward.
        jitter: standard deviation of a node's step, as a share; a step waits for the slowest node.
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
"""Prefixes of the names of coefficients that cannot exceed 1."""
NAMES = tuple(field.name for field in fields(Coefficients))


@cache
def calibrated() -> Coefficients:
    """The packaged coefficients, fitted to all packaged published runs."""
    text = packaged(FILE).read_text(encoding="utf-8")
    return Coefficients(**json.loads(text)["coefficients"])


def to_json(coefficients: Coefficients, fitted_on: dict[str, int]) -> str:
    """The text of the coefficients' file: numbers, and how many rows of each source were used."""
    rounded = {name: float(f"{value:.5g}") for name, value in asdict(coefficients).items()}
    return json.dumps({"coefficients": rounded, "fitted_on": fitted_on}, indent=2) + "\n"
