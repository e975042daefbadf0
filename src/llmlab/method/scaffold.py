"""What is new, from templates: an experiment with its chapter, ledger entries and test; a concept.

Everything written runs as it is.
"""

import keyword
import re
from collections.abc import Iterable, Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from string import Template

from llmlab.method.errors import LabError
from llmlab.method.files import write_file
from llmlab.method.judging.ledger import load_ledger
from llmlab.method.project import Project

CONTENTS = "_quarto.yml"


def scaffold(project: Project, name: str) -> list[Path]:
    """Write all that a new experiment consists of.

    Returns:
        The files written or extended, in the order in which to edit them.

    Raises:
        LabError: the name is not one that a module and a page can have, something of that name
            exists, the ledger has a mistake, or a file cannot be written; nothing is changed then.
    """
    _check_name(name, "an experiment", example="learning_rate")
    words = _words(project, name)
    ledger, results = project.ledger, f"results/{name}"
    new = {
        project.root / "src" / "llmlab" / "experiments" / f"{name}.py": "experiment.py",
        project.chapters / f"{results}.py": "chapter.py",
        project.root / "tests" / "experiments" / f"test_{name}.py": "test.py",
    }
    _check_absent(new)
    contents = {
        ledger / "questions.toml": _appended(ledger / "questions.toml", "question.toml", words),
        ledger / "hypotheses.toml": _appended(ledger / "hypotheses.toml", "hypothesis.toml", words),
        **{path: _filled(template, words) for path, template in new.items()},
        project.root / CONTENTS: _listed(project.root / CONTENTS, f"{results}.ipynb"),
    }
    _write_all(contents)
    return list(contents)


def scaffold_concept(project: Project, name: str) -> list[Path]:
    """Write the chapter of a new concept: picture, formula, live code, and what tests it.

    Returns:
        The files written or extended, in the order in which to edit them.

    Raises:
        LabError: as `scaffold`, or no hypothesis is registered that could test a concept.
    """
    _check_name(name, "a concept", example="loss_landscapes")
    hypotheses = load_ledger(project).hypotheses
    if not hypotheses:
        raise LabError(
            f"{project.ledger / 'hypotheses.toml'} has no hypothesis for a concept to end with; "
            "register one first, as `llmlab new experiment NAME` does."
        )
    words = {**_names(name), "hypothesis": hypotheses[0].id}
    chapter = project.chapters / "concepts" / f"{name}.py"
    _check_absent([chapter])
    contents = {
        chapter: _filled("concept.py", words),
        project.root / CONTENTS: _listed(project.root / CONTENTS, f"concepts/{name}.ipynb"),
    }
    _write_all(contents)
    return list(contents)


def _check_name(name: str, kind: str, example: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise LabError(
            f"'{name}' cannot name {kind}; use small letters, digits and single underscores, as "
            f"in {example}."
        )


def _check_absent(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists():
            raise LabError(f"{path} exists; choose another name or remove it first.")


def _names(name: str) -> dict[str, str]:
    """The forms in which a name stands in a template."""
    return {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "slug": name.replace("_", "-"),
    }


def _words(project: Project, name: str) -> dict[str, str]:
    """What stands for the placeholders of an experiment's templates."""
    tracks = load_ledger(project).tracks
    if not tracks:
        raise LabError(
            f"{project.ledger / 'tracks.toml'} has no track for the question to belong to; add one."
        )
    names = _names(name)
    identifier = names["slug"].upper()
    return {
        **names,
        "question": f"Q-{identifier}",
        "hypothesis": f"H-{identifier}-1",
        "track": tracks[0].id,
        "today": date.today().isoformat(),
    }


def _filled(template: str, words: Mapping[str, str]) -> str:
    path = files("llmlab.method") / "templates" / f"{template}.template"
    return Template(path.read_text(encoding="utf-8")).substitute(words)


def _appended(path: Path, template: str, words: Mapping[str, str]) -> str:
    """The file with an entry from a template at its end."""
    entry = _filled(template, words)
    identifier = entry.splitlines()[1]
    text = path.read_text(encoding="utf-8")
    if identifier in text.splitlines():
        raise LabError(f"{path} has an entry with {identifier}; choose another name.")
    return f"{text.rstrip()}\n\n{entry}".lstrip()


def _listed(path: Path, chapter: str) -> str:
    """The book's contents with a chapter below the last one of the same folder."""
    folder = chapter.partition("/")[0]
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    same = [n for n, line in enumerate(lines) if line.strip().startswith(f"- {folder}/")]
    if not same:
        raise LabError(f"{path} lists no chapter of {folder}/ to put {chapter} below; add a part.")
    indent = lines[same[-1]].partition("-")[0]
    lines.insert(same[-1] + 1, f"{indent}- {chapter}")
    return "\n".join(lines) + "\n"


def _write_all(contents: Mapping[Path, str]) -> None:
    """Write all files, or leave all as they were."""
    before: dict[Path, bytes | None] = {}
    try:
        for path, text in contents.items():
            old = path.read_bytes() if path.exists() else None
            write_file(path, text)
            before[path] = old
    except LabError:
        for path, old in before.items():
            path.unlink() if old is None else write_file(path, old)
        raise
