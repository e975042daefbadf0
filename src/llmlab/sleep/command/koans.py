"""`llmlab sleep koans`: list, show and check small broken programs."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich import box
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from llmlab.method.errors import LabError
from llmlab.method.json_values import print_json
from llmlab.method.options import LARGEST_SEED, Json, expand_options
from llmlab.method.plain import plain_console
from llmlab.method.wording import counted
from llmlab.sleep.koans.check import Checked, check_koans
from llmlab.sleep.koans.generated import GRAMMARS, SHARES, generate
from llmlab.sleep.koans.koan import Koan, choose_koans
from llmlab.sleep.koans.store import usable_store
from llmlab.sleep.sandbox.levels import require_limits, strongest
from llmlab.sleep.sandbox.sandbox import Sandbox, Unguarded

app = typer.Typer(no_args_is_help=True, help="List, show and check small broken programs.")

Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Random seed of generated koans.")]


@dataclass(frozen=True)
class KoanOptions:
    """Which koans a command is about."""

    which: Annotated[
        str,
        typer.Argument(
            metavar="FILE|NAME|FAMILY|all", help="A file of koans (.toml), a name, or a family."
        ),
    ] = "all"
    generated: Annotated[
        int,
        typer.Option(
            min=0, max=10**6, metavar="N", help="Generate N koans from the grammar instead."
        ),
    ] = 0
    language: Annotated[str, typer.Option(help="Language of generated koans: rust or python.")] = (
        "rust"
    )
    split: Annotated[
        str, typer.Option(help="Split of generated koans: train, validation or test.")
    ] = "test"

    def koans(self, seed: int) -> tuple[Koan, ...]:
        """The koans that the options name; `seed` draws generated ones.

        Raises:
            LabError: there are none, an option has no such value, or a compiler is missing.
        """
        if not self.generated:
            return choose_koans(self.which)
        if self.language not in GRAMMARS:
            raise LabError(
                f"there is no grammar for '{self.language}': choose {' or '.join(GRAMMARS)}."
            )
        if self.split not in SHARES:
            raise LabError(f"there is no split '{self.split}': choose {', '.join(SHARES)}.")
        families = None if self.which == "all" else [self.which]
        return generate(
            self.language,
            self.split,
            self.generated,
            seed,
            families=families,
            store=usable_store(),
        )

    @property
    def is_file(self) -> bool:
        """Whether the koans are a user's own, which nobody here has checked."""
        return not self.generated and self.which.endswith(".toml")

    def sandbox(self) -> Sandbox:
        """Where the koans themselves are checked; a file may come from anyone."""
        return strongest().sandbox if self.is_file else Unguarded()


@app.command("list")
@expand_options
def list_koans(options: KoanOptions, seed: Seed = 0, as_json: Json = False) -> None:
    """List koans with their families and the reasons why they are red."""
    koans = options.koans(seed)
    if as_json:
        print_json(koans)
        return
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for title in ("Koan", "family", "red for"):
        table.add_column(title)
    for koan in koans:
        table.add_row(koan.name, koan.family, koan.error)
    plain_console().print(table)
    families = len({koan.family for koan in koans})
    print(
        f"{counted(len(koans), 'koan')} in {families} {'families' if families > 1 else 'family'}."
    )


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(metavar="FILE|NAME|FAMILY|all", help="See `llmlab sleep koans list`."),
    ],
    solution: Annotated[
        bool, typer.Option("--solution", help="Show the reference solution, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a koan: its code, its cases, its hint; as JSON with its solution."""
    koans = choose_koans(name)
    if as_json:
        print_json(koans)
        return
    console = plain_console()
    for koan in koans:
        console.print(Text.assemble((koan.name, "bold"), f" ({koan.family}, red for {koan.error})"))
        console.print(_code(koan.start, koan.language))
        for case in koan.cases:
            console.print(f"  {case.expression} must be {case.expected}")
        console.print(f"Hint: {koan.hint}\n")
        if solution:
            console.print(_code(koan.solution, koan.language))


def _code(code: str, language: str) -> Syntax:
    """A program with its lines numbered; long ones are wrapped, not cut."""
    return Syntax(code.rstrip(), language, line_numbers=True, word_wrap=True)


@app.command()
@expand_options
def check(options: KoanOptions, seed: Seed = 0, as_json: Json = False) -> None:
    """Prove that every koan is red for its declared reason and green when solved.

    Results of generated koans are cached by their content, so a second check runs no compiler.
    """
    began = time.monotonic()
    require_limits()
    koans = options.koans(seed)
    checked = check_koans(koans, options.sandbox(), usable_store() if options.generated else None)
    if as_json:
        print_json([_plain(found) for found in checked])
    else:
        _print_families(checked)
        right = sum(not found.fault for found in checked)
        seconds = time.monotonic() - began
        print(f"{right} of {len(checked)} are right, in {seconds:.1f} s.")
    require_right(checked)


def require_right(checked: Sequence[Checked]) -> None:
    """Raise LabError if a koan is not what it says."""
    faults = [found for found in checked if found.fault]
    if faults:
        first = f"{faults[0].koan.name}: {faults[0].fault}"
        raise LabError(
            f"{len(faults)} of {len(checked)} koans are not what they say, first {first}; fix "
            "or remove them."
        )


def _print_families(checked: list[Checked]) -> None:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("Family")
    for title in ("koans", "right"):
        table.add_column(title, justify="right")
    table.add_column("red for")
    for family in dict.fromkeys(found.koan.family for found in checked):
        members = [found for found in checked if found.koan.family == family]
        errors = Counter(found.start.error or "nothing" for found in members)
        right = sum(not found.fault for found in members)
        reasons = ", ".join(f"{error} {n}" for error, n in errors.most_common())
        table.add_row(family, str(len(members)), str(right), reasons)
    plain_console().print(table)


def _plain(found: Checked) -> dict[str, object]:
    return {
        "name": found.koan.name,
        "family": found.koan.family,
        "error": found.koan.error,
        "start": found.start,
        "solution": found.solution,
        "fault": found.fault,
    }
