"""The kinds of views, a module for each: what a view of the kind holds, and its still picture.

Each module names its class `KIND`, and is called as the "kind" of its views. Its widget is the
script of the same name in `views/assets/kinds/`. Nothing else lists the kinds.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Any, TypeVar

from matplotlib.figure import Figure
from pydantic import Field

Number = Annotated[float, Field(allow_inf_nan=False, gt=-1e100, lt=1e100)]
"""A number that an axis can show."""

Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
StepNumber = Annotated[int, Field(ge=0, lt=2**63)]
Tokens = Annotated[list[str], Field(min_length=1)]
Item = TypeVar("Item")
Many = Annotated[list[Item], Field(min_length=1)]


class View(ABC):
    """A view, checked. Its subclasses are frozen dataclasses whose fields pydantic validates."""

    @abstractmethod
    def draw(self, footer: str) -> Figure:
        """A picture of what the widget shows when it opens, or in brief of all that it can show."""

    @property
    def opening(self) -> Any:
        """Where the widget opens, if it cannot tell by itself; plain JSON."""
        return None

    @classmethod
    def normal_form(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """The plain JSON of a view in the one form whose fields the class declares."""
        return raw


@cache
def kinds() -> Mapping[str, type[View]]:
    """The class of each kind of view, by the name of the kind."""
    names = sorted(module.name for module in iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").KIND for name in names}
