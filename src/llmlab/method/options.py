"""Declare the options of a command once, as the fields of a frozen dataclass.

    @dataclass(frozen=True)
    class TrainOptions:
        steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.")] = 100

    @app.command()
    @expand_options
    def train(options: TrainOptions, out: Annotated[Path, typer.Option()]) -> None: ...

`llmlab train` then takes --steps and --out, and receives its options as one instance.
"""

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, timedelta
from functools import wraps
from inspect import Parameter
from typing import Annotated, get_type_hints

import typer

from llmlab.method.errors import LabError

Json = Annotated[bool, typer.Option("--json", help="Print JSON for another program to read.")]

LARGEST_SEED = 2**63 - 1
"""The largest seed that a PyTorch generator accepts."""

LARGEST_BATCH = 2**20
"""More sequences or examples than any step needs; their indices alone would fill the memory."""

MOST_EPOCHS = 1_000_000
"""More passes over the data than any run finishes."""


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give typer one parameter for each field of a dataclass that `command` takes.

    Replaces a parameter annotated with a dataclass by the dataclass's fields, in order, with their
    annotations and defaults. When called, `command` receives an instance built from them.
    """
    hints = get_type_hints(command, include_extras=True)
    forms = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters = [
        parameter
        for name, own in inspect.signature(command).parameters.items()
        for parameter in (_parameters(forms[name]) if name in forms else [_keyword(own, hints)])
    ]

    @wraps(command)
    def expanded(**given: object) -> None:
        instances = {
            name: form(**{field.name: given.pop(field.name) for field in fields(form)})
            for name, form in forms.items()
        }
        command(**instances, **given)

    expanded.__signature__ = inspect.Signature(parameters)
    expanded.__annotations__ = {one.name: one.annotation for one in parameters}
    return expanded


_NUMBER = r"(\d+(?:\.\d+)?)\s*"
_PART = re.compile(rf"{_NUMBER}(d|h|min|m|s)\s*", re.ASCII)
_TIME = re.compile(rf"(?:{_PART.pattern})+|{_NUMBER}", re.ASCII)
SECONDS = {"d": 86400, "h": 3600, "min": 60, "m": 60, "s": 1}
LONGEST_TEXT = 40
"""Most characters of a text that a message repeats."""


def parse_seconds(text: str) -> float:
    """Parse "90s", "9m", "2h10min", "1d" or a plain number of seconds.

    Raises:
        LabError: the text is not a time, or is one longer than a calendar.
    """
    stripped = text.strip()
    if not _TIME.fullmatch(stripped):
        raise LabError(f"'{short(text)}' is not a time; write one such as 90s, 9m or 2h10min.")
    parts = _PART.findall(stripped) or [(stripped, "s")]
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if seconds > timedelta.max.total_seconds():
        raise LabError(f"'{short(text)}' is too long a time; write one such as 90s or 9m.")
    return seconds


def short(text: str) -> str:
    """A text that a user gave, shortened for a message."""
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def parse_count(text: str) -> float:
    """Parse a number of parameters or tokens such as "20k", "7B", "15T" or "1e12"; else NaN."""
    is_short = text[-1:].upper() in UNITS
    digits, unit = (text[:-1], UNITS[text[-1].upper()]) if is_short else (text, 1.0)
    try:
        return float(digits) * unit
    except ValueError:
        return math.nan


def parse_date(text: str | None) -> date:
    """Parse a day such as "2026-11-26"; today if None.

    Raises:
        LabError: the text is not a day.
    """
    try:
        return date.fromisoformat(text) if text is not None else date.today()
    except ValueError as error:
        raise LabError(f"'{text}' is not a day ({error}); give one such as 2026-11-26.") from None


def require_learning_rate(option: str, value: float) -> None:
    """Check a learning rate, or a factor of one.

    Raises:
        LabError: the value is zero, negative, infinite or NaN.
    """
    if not 0 < value < math.inf:
        raise LabError(f"{option} {value:g} learns nothing: take a number above 0.")


def require_epochs(epochs: float) -> None:
    """Check a number of passes over a text or a data set.

    Raises:
        LabError: it is zero, negative, NaN, or so large that training would never end.
    """
    if not 0 < epochs <= MOST_EPOCHS:
        raise LabError(
            f"{epochs:g} epochs train nothing, or for ever: take --epochs above 0 and up to "
            f"{MOST_EPOCHS:,}, or --steps."
        )


def _parameters(form: type) -> list[Parameter]:
    hints = get_type_hints(form, include_extras=True)
    return [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=_default(field),
            annotation=hints[field.name],
        )
        for field in fields(form)
    ]


def _default(field: Field) -> object:
    return Parameter.empty if field.default is MISSING else field.default


def _keyword(own: Parameter, hints: dict[str, object]) -> Parameter:
    return own.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[own.name])
