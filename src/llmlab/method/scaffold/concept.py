"""Create the chapter of a new concept: picture, formula, live code, and its experiments."""

from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.method.files import write_files
from llmlab.method.judging.ledger_files import load_ledger
from llmlab.method.project import Project
from llmlab.method.scaffold.contents import contents_file, with_chapter
from llmlab.method.scaffold.template import adding, check_absent, check_name, filled, names


def new_concept(project: Project, name: str) -> list[Path]:
    """Write the chapter of a new concept.

    Returns:
        The files written or extended, in the order in which to edit them.

    Raises:
        LabError: as in `new_experiment`, or no hypothesis is registered that could test a concept.
    """
    check_name(name, "a concept", example="gradient_clipping")
    with adding(project):
        hypotheses = load_ledger(project).hypotheses
        if not hypotheses:
            raise LabError(
                f"{project.ledger / 'hypotheses.toml'} has no hypothesis for a concept to end "
                "with; register one first, for example with `llmlab new experiment NAME`."
            )
        words = {**names(name), "hypothesis": hypotheses[0].id}
        chapter = project.chapters / "concepts" / f"{name}.py"
        check_absent([chapter])
        contents = {
            chapter: filled("concept.py", words),
            contents_file(project): with_chapter(project, f"concepts/{name}.ipynb"),
        }
        write_files(contents)
        return list(contents)
