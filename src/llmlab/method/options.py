"""Options of a command, said once: as the fields of a frozen dataclass.

    @dataclass(frozen=True)
    class TrainOptions:
        steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.")] = 100

    @app.command()
    @expand_options
    def train(options: TrainOptions, out: Annotated[Path, typer.Option()]) -> None: ...

`llmlab train` then has --steps and --out, and gets its options as one instance.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date
from functools import wraps
from inspect import Parameter
from typing import get_type_hints

from llmlab.method.errors import LabError

LARGEST_SEED = 2**63 - 1
"""The largest seed that a generator of PyTorch takes."""


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give typer a parameter for each field of a dataclass that `command` takes.

    A parameter whose annotation is a dataclass is replaced by its fields, in their order and with
    their annotations and defaults. When called, `command` gets an instance made of them.
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


_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")


def parse_seconds(text: str) -> float:
    """Seconds from "90s", "9m", "1h" or a number of seconds.

    Raises:
        LabError: the text is no time.
    """
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise LabError(f"a time is a number with s, m or h, such as 90s or 9m, not '{text}'.")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2] or "s"]


def parse_date(text: str | None) -> date:
    """A day from "2026-11-26", or today.

    Raises:
        LabError: the text is no day.
    """
    try:
        return date.fromisoformat(text) if text else date.today()
    except ValueError as error:
        raise LabError(f"a day looks like 2026-11-26, not '{text}' ({error}).") from None


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
