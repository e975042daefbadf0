"""`llmlab sleep`: repair code by day, learn from it by night."""

import typer

from llmlab.sleep.command.day import compare, evaluate, run
from llmlab.sleep.command.export import export
from llmlab.sleep.command.koans import app as koans
from llmlab.sleep.command.night import methods, train
from llmlab.sleep.command.sandbox import show_sandbox

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Repair small programs by day, learn from the repairs by night.",
)
app.add_typer(koans, name="koans")
for command in (run, evaluate, compare, train, methods, export):
    app.command()(command)
app.command("sandbox")(show_sandbox)
