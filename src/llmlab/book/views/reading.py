"""The views that runs leave (`llmlab.method.evidence.views`), checked once, to be drawn.

A view is plain JSON; its "kind" says what else it holds (`llmlab.book.views.kinds`). Pages show it
twice: as a widget (`widgets`) and as a still picture (`View.draw`).
"""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from llmlab.book.evidence import readings
from llmlab.book.views.kinds import View, kinds
from llmlab.method.declare.catalog import suggestion
from llmlab.method.declare.experiment import Value
from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import Evidence


def read_view(raw: Mapping[str, Any], where: str) -> View:
    """The view that plain JSON holds.

    Args:
        where: what names the view in an error.

    Raises:
        LabError: its kind is unknown, or something is missing or wrong in it.
    """
    kind = raw.get("kind") if isinstance(raw, Mapping) else None
    if not isinstance(kind, str) or kind not in kinds():
        raise LabError(
            f"{where} is of the kind {shortened(kind)}, which no page can show"
            f"{suggestion(str(kind), kinds())}; kinds are {', '.join(kinds())}."
        )
    view = kinds()[kind]
    try:
        return TypeAdapter(view).validate_python(view.normal_form(raw))
    except ValidationError as error:
        raise LabError(
            f"{where} is not a complete view of the kind {kind}: {complaint(error)}; "
            "rerun what made it."
        ) from None


def find_view(
    evidence: Evidence, name: str, condition: Mapping[str, Value], seed: int
) -> tuple[str, Mapping[str, Any]]:
    """The id of one run, and its view of this name as plain JSON.

    Raises:
        LabError: the condition leaves an axis open or has no such run, or the run has no such view.
    """
    run_id = readings.find_run(evidence, condition, seed)
    views = evidence.views.get(run_id)
    if not isinstance(views, Mapping):
        views = {}
    if name in views:
        return run_id, views[name]
    seen = ", ".join(views) or "none"
    raise LabError(
        f"{run_id} of {evidence.experiment.name} at {evidence.scale} scale has no view "
        f"'{name}'{suggestion(name, views)}; it has {seen}."
    )


def complaint(error: ValidationError) -> str:
    """What is wrong first, and where, for the middle of a sentence."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"'{place}' is missing"
    message = first["msg"].removeprefix("Value error, ")
    return f"in '{place}', {message[0].lower()}{message[1:]}" if place else message


def shortened(value: object) -> str:
    """A foreign value as a message can show it."""
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
