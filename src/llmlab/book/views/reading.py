"""Validate the views that runs save (`llmlab.method.evidence.views`), to be drawn.

A view is plain JSON; its "kind" determines its fields (`llmlab.book.views.kinds`). Pages show it
twice: as a widget (`widgets`) and as a still image (`View.draw`).
"""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from llmlab.book.evidence import readings
from llmlab.book.views.kinds import View, kinds
from llmlab.method.declare.catalog import suggestion
from llmlab.method.declare.experiment import Value
from llmlab.method.documents import first_mistake
from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import Evidence


def read_view(raw: Mapping[str, Any], where: str) -> View:
    """Validate a view in plain JSON.

    Args:
        where: the view's name in error messages.

    Raises:
        LabError: its kind is unknown, or a field is missing or wrong.
    """
    kind = raw.get("kind") if isinstance(raw, Mapping) else None
    if not isinstance(kind, str) or kind not in kinds():
        raise LabError(
            f"{where} is of the kind {shortened(kind)}, which no page can show"
            f"{suggestion(str(kind), kinds())}; use one of {', '.join(kinds())}."
        )
    view = kinds()[kind]
    try:
        return TypeAdapter(view).validate_python(view.normal_form(raw))
    except ValidationError as error:
        raise LabError(
            f"{where} is not a complete view of the kind {kind}: {first_mistake(error)}; "
            "rerun what made it."
        ) from None


def find_view(
    evidence: Evidence, name: str, condition: Mapping[str, Value], seed: int
) -> tuple[str, Mapping[str, Any]]:
    """Find the id of one run, and its view with this name as plain JSON.

    Raises:
        LabError: the condition does not fix an axis or has no such run, or the run has no such
            view.
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
        f"'{name}'{suggestion(name, views)}; known: {seen}."
    )


def shortened(value: object) -> str:
    """A foreign value, shortened for a message."""
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
