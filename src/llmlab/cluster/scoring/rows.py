"""Rows of tables of published runs; those that are complete enough become plans.

`data/README.md` describes the columns. A row needs sizes, a layout and a step time; other missing
values get the same default for all rows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from llmlab.cluster.physics.hardware import Accelerator, accelerator
from llmlab.cluster.physics.plan import PYTORCH, RECOMPUTES, Plan, Recompute, Sharding, Software
from llmlab.cluster.physics.planfile import LARGEST
from llmlab.cluster.physics.shapes import Shape, known_shape, shape_like
from llmlab.method.errors import LabError

BLANK = ("", "nan", "n/a", "na", "null", "-")
"""What tables write for a missing value; in a column of numbers also `NO_NUMBER`."""
NO_NUMBER = ("none", "unknown")
FLAGS = {"true": 1, "yes": 1, "false": 0, "no": 0}


def _text(value: object) -> object:
    text = None if value is None else str(value).strip()
    return None if text is None or text.casefold() in BLANK else text


def _number(value: object) -> object:
    """A number without separators of thousands, which a table may write as 1,024."""
    text = _text(value)
    return None if text is None or text.casefold() in NO_NUMBER else text.replace(",", "")


def _count(value: object) -> object:
    """A count, which a table may write as 8.0, or a flag in words."""
    text = _number(value)
    try:
        whole = text is not None and float(text).is_integer()
    except ValueError:
        return FLAGS.get(text.casefold(), text)
    return int(float(text)) if whole else text


def _version(value: object) -> object:
    """Major and minor version, of "2.1.0+cu121" for example."""
    text = _text(value)
    return None if text is None else tuple(text.split(".")[:2])


Count = Annotated[Annotated[int, Field(gt=0, le=LARGEST)] | None, BeforeValidator(_count)]
Number = Annotated[
    Annotated[float, Field(ge=1 / LARGEST, le=LARGEST)] | None, BeforeValidator(_number)
]
Flag = Annotated[Annotated[int, Field(ge=0, le=1)] | None, BeforeValidator(_count)]
Text = Annotated[str | None, BeforeValidator(_text)]
Version = Annotated[tuple[int, int] | None, BeforeValidator(_version)]


class Row(BaseModel):
    """One published run; blank cells are None."""

    line: int
    source: Text = None
    model: Text = None
    task: Text = None
    params_billion: Number = None
    layers: Count = None
    d_model: Count = None
    heads: Count = None
    seq_len_tokens: Count = None
    global_batch_sequences: Count = None
    micro_batch: Number = None
    gpus: Count = None
    gpu_type: Text = None
    tp: Count = None
    pp: Count = None
    cp: Count = None
    ep: Count = None
    dp: Count = None
    fsdp: Flag = None
    interleave: Number = None
    sequence_parallel: Flag = None
    recompute: Text = None
    pytorch: Version = None
    precision: Text = None
    step_time_s: Number = None
    tokens_per_s_per_gpu: Number = None
    note: Text = None

    @property
    def name(self) -> str:
        """The row's name in messages."""
        return f"line {self.line} ({self.source or 'no source'}, {self.model or 'no model'})"

    def bits(self, gpu: Accelerator) -> int:
        """Bits of the operands of matrix products.

        An unstated precision counts as 8 bits if the accelerator has a faster peak for it, since
        publishers report their best throughput.
        """
        text = (self.precision or "unknown").casefold()
        if text == "unknown":
            return 8 if gpu.peak(8) > gpu.peak(16) else 16
        narrow = re.search(r"(?:fp|float)([48])", text)
        return int(narrow[1]) if narrow else 16


@dataclass(frozen=True)
class Skipped:
    """A row that cannot be predicted or compared, and why."""

    row: str
    source: str
    reason: str


@dataclass(frozen=True)
class Published:
    """A published run and its plan.

    Attributes:
        observed: seconds per step, as published or from the tokens per second.
        is_dense_16bit: whether it is pretraining of a dense model with 16-bit products.
    """

    row: Row
    plan: Plan
    observed: float

    @property
    def source(self) -> str:
        return self.row.source or "unnamed"

    @property
    def model(self) -> str:
        return self.row.model or self.plan.shape.name

    @property
    def is_dense_16bit(self) -> bool:
        dense = not self.plan.shape.experts
        return (
            dense
            and self.plan.bits == 16
            and (self.row.task or "pretrain").casefold() == "pretrain"
        )


def published(cells: Mapping[str, object], line: int) -> Published | Skipped:
    """Parse one row of a table, or say why it is skipped."""
    given = {key: value for key, value in cells.items() if key in Row.model_fields}
    try:
        row = Row(line=line, **given)
    except ValidationError as error:
        first = error.errors()[0]
        name = f"line {line} ({cells.get('source')}, {cells.get('model')})"
        reason = f"{first['loc'][0]} is {first['input']!r}"
        return Skipped(name, str(cells.get("source") or "unnamed"), reason)
    try:
        return Published(row, plan_of(row), _observed(row))
    except _LackingError as lacking:
        return Skipped(row.name, row.source or "unnamed", str(lacking))


class _LackingError(Exception):
    """A row lacks something that a plan needs."""


def plan_of(row: Row) -> Plan:
    """The plan that a row describes.

    An unstated micro-batch or parallelism is 1; all remaining GPUs are data parallel. The software
    dates from the time of the accelerator (`FLASH_SINCE`, `FUSED_SINCE`); an unstated version of
    PyTorch is recent.
    """
    gpu = _accelerator(row)
    shape = _shape(row)
    _check_layout(row, shape)
    software = software_of(row, gpu)
    modern = software != "plain"
    return Plan(
        shape=shape,
        accelerator=gpu,
        gpus=row.gpus,
        seq_len=row.seq_len_tokens,
        global_batch=row.global_batch_sequences,
        micro_batch=row.micro_batch or 1,
        tp=row.tp or 1,
        pp=row.pp or 1,
        cp=row.cp or 1,
        ep=(row.ep or 1) if shape.experts else 1,
        interleave=int(row.interleave or 1),
        sharding=_sharding(row, modern),
        recompute=_recompute(row, software),
        early_stop=software in PYTORCH and (row.pytorch or EARLY_STOP_SINCE) >= EARLY_STOP_SINCE,
        bits=row.bits(gpu),
        sequence_parallel=_or(row.sequence_parallel, modern and (row.tp or 1) > 1),
        async_tensor=any(mark in (row.note or "").casefold() for mark in ASYNC),
        adapters="lora" in (row.task or "").casefold(),
        software=software,
    )


def _check_layout(row: Row, shape: Shape) -> None:
    """Check that sizes are stated and agree with each other."""
    needed = ("seq_len_tokens", "global_batch_sequences", "gpus")
    if missing := [name for name in needed if getattr(row, name) is None]:
        raise _LackingError(f"no {' and no '.join(missing)}")
    product = (row.tp or 1) * (row.pp or 1) * (row.cp or 1)
    if row.gpus % product:
        raise _LackingError(f"tp x pp x cp = {product} does not divide {row.gpus} gpus")
    dp, micro_batch = row.gpus // product, row.micro_batch or 1
    if row.dp not in (None, dp):
        raise _LackingError(f"dp is {row.dp}, and tp, pp and cp leave {dp} of {row.gpus} gpus")
    if micro_batch * dp > row.global_batch_sequences:
        raise _LackingError(f"{dp} micro-batches of {micro_batch:g} exceed the global batch")
    if (row.pp or 1) > shape.layers:
        raise _LackingError(f"pp = {row.pp} exceeds the {shape.layers} layers")


FLASH_SINCE = 2022
"""Year of FlashAttention (arXiv:2205.14135): Megatron on earlier accelerators is plain."""
EARLY_STOP_SINCE = (2, 1)
"""Version of PyTorch from which recomputation stops early (`Plan.early_stop`)."""
ASYNC = ("async tp", "asynctp")
"""Words in a note that say that tensor-parallel communication is overlapped."""
COMPILED = ("compile", "float8", "2d", "3d", "4d", " tp", *ASYNC)
"""Words in a note on FSDP that imply torch.compile."""
FUSED_SINCE = 2024
"""From accelerators of this year on, FSDP also uses fused kernels."""


def software_of(row: Row, gpu: Accelerator) -> Software:
    """The software of a row.

    FSDP on accelerators before Blackwell is PyTorch's, compiled if the note mentions a compiler or
    something that needs one; in 8 bits without a compiler it uses Transformer Engine.
    """
    note = (row.note or "").casefold()
    if row.fsdp == 1 and gpu.year < FUSED_SINCE:
        if any(mark in note for mark in COMPILED):
            return "compiled"
        return "fused" if row.bits(gpu) < 16 else "eager"
    return "fused" if row.fsdp == 1 or gpu.year >= FLASH_SINCE else "plain"


def _recompute(row: Row, software: Software) -> Recompute:
    """What is recomputed; unstated, the default of the software.

    PyTorch's selective recomputation goes by operation, and is the default of torchtitan
    (`train_configs/llama3_8b.toml`), where the compiled runs come from.
    """
    text = (row.recompute or "").casefold()
    stated = next((kind for kind in RECOMPUTES if kind in text), None)
    if stated == "selective" and software in PYTORCH:
        return "operations"
    return stated or ("operations" if software == "compiled" else "none")


def _accelerator(row: Row) -> Accelerator:
    if row.gpu_type is None:
        raise _LackingError("no gpu_type")
    try:
        return accelerator(row.gpu_type)
    except LabError:
        raise _LackingError(f"gpu_type {row.gpu_type} is not in the catalogue") from None


def _shape(row: Row) -> Shape:
    if row.layers and row.d_model and row.heads:
        billions = row.params_billion
        return shape_like(
            row.model or "model",
            row.layers,
            row.d_model,
            row.heads,
            billions * 1e9 if billions else None,
        )
    if row.model and (public := known_shape(row.model)):
        return public
    raise _LackingError("no layers, d_model and heads, and the model is not one that we know")


def _sharding(row: Row, modern: bool) -> Sharding:
    if row.fsdp == 1:
        return "parameters"
    return "optimizer" if modern else "none"


def _observed(row: Row) -> float:
    if row.step_time_s:
        return row.step_time_s
    if row.tokens_per_s_per_gpu:
        tokens = row.global_batch_sequences * row.seq_len_tokens
        return tokens / (row.tokens_per_s_per_gpu * row.gpus)
    raise _LackingError("no step_time_s and no tokens_per_s_per_gpu")


def _or(flag: int | None, otherwise: bool) -> bool:
    return otherwise if flag is None else bool(flag)
