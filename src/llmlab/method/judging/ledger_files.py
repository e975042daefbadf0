"""Read the ledger from its three handwritten files, and refuse the first mistake.

Imports neither torch nor any lab.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from llmlab.method.declare.catalog import load_experiment, suggestion
from llmlab.method.declare.experiment import Experiment
from llmlab.method.documents import parse_toml
from llmlab.method.errors import LabError
from llmlab.method.files import decoded, unreadable
from llmlab.method.judging.ledger import FILES, Feature, Hypothesis, Ledger, Question, T, Track
from llmlab.method.judging.mistakes import (
    Mistake,
    hypothesis_mistakes,
    question_mistakes,
    track_mistakes,
)
from llmlab.method.project import Project


def load_ledger(
    project: Project, experiment: Callable[[str], Experiment] = load_experiment
) -> Ledger:
    """Read and check the three files of the ledger.

    Args:
        experiment: returns the experiment with a given name, or raises LabError.

    Raises:
        LabError: the first mistake found, with its file, entry and remedy.
    """
    questions = _read_entries(project, "question", Question)
    hypotheses = _read_entries(project, "hypothesis", Hypothesis)
    tracks = _read_entries(project, "track", Track)
    ledger = Ledger(questions, hypotheses, tracks)
    _refuse(project, "question", question_mistakes(ledger))
    _refuse(project, "hypothesis", hypothesis_mistakes(ledger, experiment))
    _refuse(project, "track", track_mistakes(ledger))
    return ledger


def _read_entries(project: Project, kind: str, entry_type: type[T]) -> tuple[T, ...]:
    """Read the entries of one kind and check each on its own."""
    adapter = TypeAdapter(entry_type)
    entries = []
    for position, raw in enumerate(_raw_entries(project, kind), start=1):
        name = raw.get("id", position)
        try:
            entries.append(adapter.validate_python(raw))
        except ValidationError as error:
            mistake = _in_words(error, entry_type)
            raise LabError(_sentence(project, kind, name, mistake)) from error
    repeated = [name for name, n in Counter(entry.id for entry in entries).items() if n > 1]
    _refuse(project, kind, ((name, "two entries have this id; rename one") for name in repeated))
    return tuple(entries)


def _raw_entries(project: Project, kind: str) -> list[dict[str, object]]:
    path = _path(project, kind)
    shown = path.relative_to(project.root)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise LabError(f"{shown} is missing; create it (it may be empty).") from error
    except OSError as error:
        raise unreadable(shown, error) from error
    tables = parse_toml(decoded(content, shown), shown)
    for name in tables.keys() - {kind}:
        raise LabError(
            f"{shown}: unknown table '{name}'{suggestion(name, [kind])}; "
            f"start each entry with [[{kind}]]."
        )
    entries = tables.get(kind, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise LabError(f"{shown}: '{kind}' is not a list of tables; start each with [[{kind}]].")
    return entries


def _path(project: Project, kind: str) -> Path:
    return project.ledger / FILES[kind]


def _refuse(project: Project, kind: str, mistakes: Iterable[Mistake]) -> None:
    """Raise LabError for the first mistake, if there is one."""
    for name, mistake in mistakes:
        raise LabError(_sentence(project, kind, name, mistake))


def _sentence(project: Project, kind: str, name: object, mistake: str) -> str:
    return f"{_path(project, kind).relative_to(project.root)}: {kind} {name}: {mistake}."


def _in_words(error: ValidationError, entry_type: type) -> str:
    """Pydantic's first error as a phrase with its remedy."""
    first = error.errors(include_url=False)[0]
    branches = {"str", "int", "float", "bool"}  # pydantic names the branch of a union that it tried
    key = ".".join(str(part) for part in first["loc"] if part not in branches)
    if first["type"] == "missing":
        return f"'{key}' is missing; add it"
    if first["type"] == "unexpected_keyword_argument":
        return f"unknown key '{key}'{suggestion(key, _keys(entry_type))}; correct or remove it"
    wanted = _lower(first["msg"])
    if branches & set(first["loc"]):
        wanted = "it should be a single value"
    if first["type"] == "string_pattern_mismatch":
        wanted = "an id looks like Q-LR or H-LR-1"
    return f"'{key}' cannot be {first['input']!r}: {wanted}; correct it"


def _keys(entry_type: type) -> set[str]:
    return {*entry_type.__dataclass_fields__, "phase", "feature", *Feature.__dataclass_fields__}


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
