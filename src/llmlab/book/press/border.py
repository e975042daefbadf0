"""Parse handwritten YAML and Python. A mistake becomes a LabError of one sentence."""

import ast
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from llmlab.method.documents import first_mistake, in_one_line
from llmlab.method.errors import LabError

Parsed = TypeVar("Parsed")


def parse_python(text: str, name: str) -> ast.Module:
    """Parse a script.

    Raises:
        LabError: the script is not Python.
    """
    try:
        return ast.parse(text)
    except SyntaxError as error:
        where = f"{name}, line {error.lineno or 1}"
        raise LabError(f"{where}, is not Python: {error.msg}; correct the script.") from None
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes, nested too deep
        raise LabError(f"{name} is not Python: {in_one_line(error)}; correct the script.") from None


def parse_yaml(text: str, name: str) -> dict[str, Any]:
    """Parse YAML into a mapping; empty text gives an empty one.

    Raises:
        LabError: the text is not YAML, uses an alias (a few lines can expand to gigabytes), or is
            not a mapping.
    """
    try:
        found = yaml.load(text, _Loader) or {}
    except RecursionError:
        raise LabError(f"{name} is not valid YAML: nested too deep; write it flat.") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        said = in_one_line(error).replace(' in "<unicode string>",', ",")
        raise LabError(f"{name} is not valid YAML: {said}; correct it.") from None
    if not isinstance(found, dict) or any(not isinstance(key, str) for key in found):
        raise LabError(f"{name} is not a list of names with values; write `name: value`.")
    return found


def validated(form: type[Parsed], value: object, name: str) -> Parsed:
    """Convert foreign data into the type `form`.

    Raises:
        LabError: something is missing or has the wrong type; names the first such place.
    """
    try:
        return TypeAdapter(form).validate_python(value)
    except ValidationError as error:
        raise LabError(f"{name} is wrong ({first_mistake(error)}); correct it.") from None


class _Loader(yaml.SafeLoader):
    """Loads plain values only; refuses aliases."""

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="an alias (*name)", problem_mark=mark)
        return super().compose_node(parent, index)
