"""Convert values to plain JSON, for every file and every `--json` of the project."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


def json_value(value: object) -> JsonValue:
    """Convert `value` to plain JSON.

    Dataclasses become objects, sequences lists, numpy scalars numbers; NaN and infinities become
    null, since JSON cannot express them. Anything else becomes text: dates in ISO form, paths.
    """
    match value:
        case None | bool() | int():
            return value
        case float():
            return float(value) if math.isfinite(value) else None
        case str():
            return printable(value)
        case Mapping():
            return {printable(str(key)): json_value(item) for key, item in value.items()}
        case list() | tuple():
            return [json_value(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: json_value(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "tolist"):  # numpy
        return json_value(value.tolist())
    return printable(str(value))


def print_json(value: object) -> None:
    """Print `json_value(value)` in ASCII, which survives any encoding of the terminal."""
    print(json.dumps(json_value(value), indent=2))


def printable(text: str) -> str:
    r"""`text` as valid Unicode: bytes of a file name that are not UTF-8 become `\xff`."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that does not encode a byte
        return text.encode("utf-8", "backslashreplace").decode()
    return data.decode("utf-8", "backslashreplace")
