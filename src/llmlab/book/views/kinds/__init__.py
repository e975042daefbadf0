"""The kinds of views, one module each: the content of a view, and its still image.

Each module has the name that its views give as "kind", and exports its class as `KIND`. Its widget
is the script of the same name in `views/assets/kinds/`. Nothing else lists the kinds.
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
"""A finite number that an axis can show."""

Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
StepNumber = Annotated[int, Field(ge=0, lt=2**63)]
Tokens = Annotated[list[str], Field(min_length=1)]
Item = TypeVar("Item")
NonEmptyList = Annotated[list[Item], Field(min_length=1)]


class View(ABC):
    """A validated view; subclasses are frozen dataclasses that pydantic validates."""

    @abstractmethod
    def draw(self, footer: str) -> Figure:
        """Draw what the widget shows when it opens, or a summary of all that it can show."""

    @property
    def opening(self) -> Any:
        """The widget's initial selection as plain JSON; None to let the widget choose."""
        return None

    @classmethod
    def normal_form(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Convert the plain JSON of a view to the form that the class declares."""
        return raw


@cache
def kinds() -> Mapping[str, type[View]]:
    """The class of each kind of view, by the name of the kind."""
    names = sorted(module.name for module in iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").KIND for name in names}
