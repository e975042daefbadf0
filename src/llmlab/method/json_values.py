"""Values as JSON can hold them, for every file and every `--json` of the project."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


def json_value(value: object) -> JsonValue:
    """`value` as plain JSON.

    Dataclasses become objects, sequences lists, numpy's scalars numbers; NaN and infinities become
    null, since JSON has no word for them. Anything else becomes its text: dates in ISO form, paths.
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
    if hasattr(value, "tolist"):  # of numpy
        return json_value(value.tolist())
    return printable(str(value))


def printable(text: str) -> str:
    r"""`text` in Unicode: bytes of a file name that are not UTF-8 are written as `\xff`."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character that stands for no byte
        return text.encode("utf-8", "backslashreplace").decode()
    return data.decode("utf-8", "backslashreplace")
