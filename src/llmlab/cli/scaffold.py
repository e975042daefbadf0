"""`llmlab new …`: start an experiment, a concept or a lab from a template."""

from typing import Annotated

import typer

from llmlab.cli.shared import shown
from llmlab.method.project import Project

app = typer.Typer(no_args_is_help=True, help="Start something new from a template.")


@app.command("experiment")
def new_experiment_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, such as batch_size.")],
) -> None:
    """Write a script, a chapter, ledger entries and a test for a new experiment.

    All of them run as generated; edit them in the printed order.
    """
    from llmlab.method.scaffold.experiment import new_experiment

    for path in new_experiment(Project.find(), name):
        print(shown(path))
    print(
        "Next: edit the files from top to bottom, and commit the first two before any result.\n"
        f"Then `llmlab run {name} --scale smoke` tries the script, and `make` shows the page."
    )


@app.command("concept")
def new_concept_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, such as gradient_clipping.")],
) -> None:
    """Write the chapter of a new concept: a picture, a formula, live code, and its experiments."""
    from llmlab.method.scaffold.concept import new_concept

    for path in new_concept(Project.find(), name):
        print(shown(path))
    print(f"Next: edit the chapter, then `llmlab book execute concepts/{name}`.")


@app.command("lab")
def new_lab_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, such as vision.")],
) -> None:
    """Write a package for a new lab: modules, tests, import rules, a track, a part of the book.

    It includes one experiment that runs as generated; edit the files in the printed order.
    """
    from llmlab.method.scaffold.lab import new_lab

    for path in new_lab(Project.find(), name):
        print(shown(path))
    print(
        "Next: edit the files from top to bottom, add the lab to the tables of CONTRIBUTING.md "
        f"and README.md, then `llmlab run {name}_learning_rate --scale smoke`."
    )
