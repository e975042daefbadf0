"""Read plans from TOML or JSON files, checked before use.

    model = "Llama 3.1 70B"     # or "7B", or a table of sizes
    gpu = "H100"
    gpus = 64
    seq_len = 8192
    global_batch = 256
    tp = 4
    pp = 2
    precision = "bf16"

A table `[cluster]` overrides the catalogue's values for the GPU, with units: `network = "25 GB/s"`.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmlab.cluster.physics.hardware import UNITS, Accelerator, accelerator, magnitude
from llmlab.cluster.physics.plan import PYTORCH, Plan, Recompute, Sharding, Software
from llmlab.cluster.physics.shapes import Shape, shape_named
from llmlab.method.declare.catalog import suggestion
from llmlab.method.documents import in_one_line, parse_json, parse_toml
from llmlab.method.errors import LabError
from llmlab.method.files import read_text

Model = TypeVar("Model", bound=BaseModel)

BITS_OF = {"fp16": 16, "bf16": 16, "fp8": 8, "fp4": 4}

QUANTITY = re.compile(r"[-+]?\d+(\.\d*)?(e[-+]?\d{1,3})? *[a-z]+( ?/ ?[a-z]+)?", re.IGNORECASE)
"""A number and a unit, which may be per time."""

LARGEST = 10**12
"""Largest count in a plan: beyond any cluster, but small enough to compute with."""
Count = Annotated[int, Field(gt=0, le=LARGEST)]
CountOrZero = Annotated[int, Field(ge=0, le=LARGEST)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Sizes(Strict):
    """The sizes of a model that is not in the catalogue."""

    name: str = "model"
    layers: Count
    d_model: Count
    heads: Count
    kv_heads: Count | None = None
    head_dim: Count | None = None
    d_ff: Count | None = None
    vocab: Count = 50257
    gated: bool = False
    tied: bool = True
    biases: bool = True
    experts: CountOrZero = 0
    experts_per_token: CountOrZero = 0
    shared_experts: CountOrZero = 0
    expert_d_ff: CountOrZero = 0
    dense_layers: CountOrZero = 0

    def shape(self) -> Shape:
        given = self.model_dump()
        given["kv_heads"] = self.kv_heads or self.heads
        given["head_dim"] = self.head_dim or self.d_model // self.heads
        given["d_ff"] = self.d_ff or 4 * self.d_model
        return Shape(**given)


class Wires(Strict):
    """Overrides of the catalogue's values for a cluster; quantities have units."""

    memory: str | None = None
    memory_bandwidth: str | None = None
    link: str | None = None
    network: str | None = None
    power: str | None = None
    domain: Count | None = None

    def changed(self, gpu: Accelerator) -> Accelerator:
        given = {key: value for key, value in self.model_dump().items() if value is not None}
        texts = {key: _magnitude(text, UNITS[key]) for key, text in given.items() if key in UNITS}
        if negative := [key for key, value in texts.items() if value <= 0]:
            raise LabError(
                f"{negative[0]} of the cluster is zero or negative; give a positive quantity."
            )
        return replace(gpu, **given | texts)


def _magnitude(text: str, unit: str) -> float:
    """As `magnitude`, of a text that is no expression: "9**9**9 GB" would never be computed."""
    if not QUANTITY.fullmatch(text):
        raise LabError(
            f'"{in_one_line(text)}" is not a number and a unit, as in "80 GB" or "25 GB/s"; '
            f"write it in {unit}."
        )
    return magnitude(text, unit)


class PlanFile(Strict):
    """The fields of a plan's file."""

    model: str | Sizes
    gpu: str = "H100"
    gpus: Count
    seq_len: Count = 4096
    global_batch: Count
    micro_batch: Count = 1
    tp: Count = 1
    pp: Count = 1
    cp: Count = 1
    ep: Count = 1
    interleave: Count = 1
    sharding: Sharding = "optimizer"
    recompute: Recompute = "none"
    early_stop: bool | None = None
    precision: Literal["fp16", "bf16", "fp8", "fp4"] = "bf16"
    sequence_parallel: bool | None = None
    async_tensor: bool = False
    adapters: bool = False
    software: Software = "fused"
    cluster: Wires = Wires()

    def plan(self) -> Plan:
        """Build the plan, without checking that it is feasible.

        Unstated, tensor parallelism includes sequence parallelism in all but the oldest software,
        and PyTorch's own recomputation stops early, as it does from version 2.1.

        Raises:
            LabError: the model or the GPU is unknown.
        """
        same = self.model_dump(exclude={"model", "gpu", "precision", "cluster"})
        if same["sequence_parallel"] is None:
            same["sequence_parallel"] = self.tp > 1 and self.software != "plain"
        if same["early_stop"] is None:
            same["early_stop"] = self.software in PYTORCH
        return Plan(
            shape=shape_named(self.model) if isinstance(self.model, str) else self.model.shape(),
            accelerator=self.cluster.changed(accelerator(self.gpu)),
            bits=BITS_OF[self.precision],
            **same,
        )


def read_plan(path: Path) -> Plan:
    """Read a plan from a file.

    Raises:
        LabError: the file cannot be read, is not TOML or JSON, or has a wrong or unknown field.
    """
    return parsed(PlanFile, read_table(path), str(path)).plan()


def read_table(path: Path) -> dict:
    """Read a TOML or JSON file.

    Raises:
        LabError: the file cannot be read or parsed.
    """
    parse = parse_json if path.suffix == ".json" else parse_toml
    table = parse(read_text(path), path)
    if not isinstance(table, dict):
        raise LabError(f"{path} holds no table of fields; write name = value lines.")
    return table


def parsed(model: type[Model], table: dict, name: str) -> Model:
    """Validate a table as a typed model.

    Raises:
        LabError: a field is wrong, missing or unknown; names the first one.
    """
    try:
        return model(**table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = model.model_fields
            raise LabError(
                f'{name} has an unknown field "{where}"{suggestion(where, known)}; use '
                f"{', '.join(known)}."
            ) from None
        if first["type"] == "missing":
            raise LabError(f"{name} lacks the field {where}; add it.") from None
        given = in_one_line(repr(first["input"]))
        raise LabError(f"{name}: {where} is {given}: {_said(first['msg'])}.") from None


def _said(message: str) -> str:
    return message[0].lower() + message[1:]
