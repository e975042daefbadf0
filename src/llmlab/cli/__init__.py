"""The command line: one verb per command, only wiring.

Each command imports its own dependencies, so that none loads what only another one needs.
"""

import errno
import io
import os
import sys
from typing import Annotated, NoReturn

import typer

from llmlab.cli import evidence, models, rooms, scaffold
from llmlab.method.documents import escaped
from llmlab.method.errors import LabError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="A lab book on training language models: run experiments, judge hypotheses, build a book.",
)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"llmlab {version('llmlab')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


for verbs in (evidence, models, rooms):
    app.add_typer(verbs.app)
app.add_typer(scaffold.app, name="new")


def main() -> None:
    """Run the command line; a LabError becomes one line on standard error."""
    _open_closed_streams()
    _escape_what_the_terminal_lacks()
    _ignore_zero_columns()
    if main.__doc__ is None:
        _fail(
            "Python drops all docstrings (PYTHONOPTIMIZE=2 or -OO), and transformers cannot load "
            "a model without them: unset PYTHONOPTIMIZE."
        )
    try:
        try:
            app(prog_name="llmlab")
        finally:
            sys.stdout.flush()
    except LabError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno in UNUSABLE and error.filename is not None:
            _fail(f"cannot use {error.filename}: {error.strerror}; name another path.")
        if error.errno == errno.ENOENT and error.filename is None:  # from os.getcwd
            _fail("the working folder was removed: change to another one.")
        if error.errno not in (errno.EPIPE, *FULL):
            raise
        with open(os.devnull, "wb") as nowhere:  # flushing the rest of the output would fail again
            os.dup2(nowhere.fileno(), 1)
        if error.errno == errno.EPIPE:  # the reader has closed the pipe
            sys.exit(1)
        place = error.filename or "the output"
        _fail(f"cannot write {place}: {error.strerror}; free some space, or write elsewhere.")


UNUSABLE = (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of a path that no command can go on with."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a full disk or an exceeded quota or limit."""


def _fail(sentence: str) -> NoReturn:
    if os.environ.get("RANK", "0") == "0":  # only the first of several processes prints
        print(f"error: {escaped(sentence)}", file=sys.stderr)
    sys.exit(1)


def _open_closed_streams() -> None:
    """Put the null device where the caller closed a standard stream.

    A file opened later would take its place, and errors would go to standard output.
    """
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _escape_what_the_terminal_lacks() -> None:
    r"""Print escapes such as \u2026 for characters that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _ignore_zero_columns() -> None:
    """Ignore COLUMNS=0, which some containers set: a table of no width would not be seen."""
    if os.environ.get("COLUMNS", "").strip("0") == "":
        os.environ.pop("COLUMNS", None)
