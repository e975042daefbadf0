"""Create a new experiment with its chapter, ledger entries and test."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.method.files import write_files
from llmlab.method.judging.ledger_files import load_ledger
from llmlab.method.project import Project
from llmlab.method.scaffold.contents import contents_file, with_chapter
from llmlab.method.scaffold.template import (
    adding,
    appended,
    check_absent,
    check_name,
    filled,
    names,
)


def new_experiment(project: Project, name: str) -> list[Path]:
    """Write all files of a new experiment.

    Returns:
        The files written or extended, in the order in which to edit them.

    Raises:
        LabError: the name does not fit a module and a page, the name is taken, the ledger has a
            mistake, or a file cannot be written; nothing is changed then.
    """
    check_name(name, "an experiment", example="batch_size")
    with adding(project):
        tracks = load_ledger(project).tracks
        if not tracks:
            raise LabError(
                f"{project.ledger / 'tracks.toml'} has no track for the question to belong to; "
                "add one."
            )
        words = experiment_words(name, tracks[0].id)
        new = experiment_files(project, name)
        check_absent(new)
        contents = {
            **ledger_entries(project, words),
            **{path: filled(template, words) for path, template in new.items()},
            contents_file(project): with_chapter(project, f"results/{name}.ipynb"),
        }
        write_files(contents)
        return list(contents)


def experiment_words(name: str, track: str) -> dict[str, str]:
    """The values of the placeholders in an experiment's templates."""
    forms = names(name)
    identifier = forms["slug"].upper()
    return {
        **forms,
        "question": f"Q-{identifier}",
        "hypothesis": f"H-{identifier}-1",
        "track": track,
        "today": date.today().isoformat(),
    }


def experiment_files(project: Project, name: str, script: str = "experiment.py") -> dict[Path, str]:
    """The template of each file that belongs to one experiment alone.

    Args:
        script: template of the module that declares the experiment.
    """
    return {
        project.root / "src" / "llmlab" / "experiments" / f"{name}.py": script,
        project.chapters / "results" / f"{name}.py": "chapter.py",
        project.root / "tests" / "experiments" / f"test_{name}.py": "test.py",
    }


def ledger_entries(project: Project, words: Mapping[str, str]) -> dict[Path, str]:
    """The ledger's questions and hypotheses with those of an experiment; errors as `appended`."""
    questions, hypotheses = project.ledger / "questions.toml", project.ledger / "hypotheses.toml"
    return {
        questions: appended(questions, "question.toml", words),
        hypotheses: appended(hypotheses, "hypothesis.toml", words),
    }
