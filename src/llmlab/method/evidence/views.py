"""Views of a model that runs save beside their metrics: attention, samples, activations.

`views.json` maps each run to its views by name; it exists only if some run has views. A view is
plain JSON whose "kind" says what it shows; the book draws it and knows nothing else of the model.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from llmlab.method.documents import first_mistake
from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import read_manifest, verified
from llmlab.method.files import remove_file, write_file

VIEWS = "views.json"

Views = Mapping[str, Mapping[str, Mapping[str, object]]]
"""Run id, then name of the view, then the view."""


def write_views(folder: Path, views: Views) -> None:
    """Write `views.json`, or remove it if no run has a view; errors as in `write_file`."""
    seen = {run_id: found for run_id, found in views.items() if found}
    if seen:
        write_file(folder / VIEWS, json.dumps(seen, separators=(",", ":"), allow_nan=False) + "\n")
    else:
        remove_file(folder / VIEWS)


def read_views(folder: Path) -> Views:
    """Read the views in `folder`, by run and name; errors as in `manifest.verified`."""
    if VIEWS not in read_manifest(folder).sha256:
        return {}
    path = verified(folder, VIEWS)
    try:
        return _reader().validate_json(path.read_bytes())
    except ValidationError as error:
        raise LabError(
            f"{path} holds no views by run and name ({first_mistake(error)}); restore it or run "
            "the experiment again."
        ) from error


@cache
def _reader() -> TypeAdapter:
    return TypeAdapter(dict[str, dict[str, dict[str, JsonValue]]])
