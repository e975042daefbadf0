"""`llmlab book …`: only wiring. Each command imports the heavy modules that it needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from llmlab.method.errors import LabError
from llmlab.method.project import Project
from llmlab.method.wording import counted

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Execute chapters; render, check and serve the book.",
)

Version = Annotated[str, typer.Option(metavar="NAME", help="Folder of the edition below site/.")]


@app.command()
def execute(
    chapter: Annotated[
        str,
        typer.Argument(metavar="CHAPTER", help="A chapter such as concepts/lora, or its script."),
    ],
) -> None:
    """Execute a chapter once; writes its notebook into build/chapters/."""
    from llmlab.book.press.contents import chapter_of
    from llmlab.book.press.execute import execute_chapter

    project = Project.find()
    found = chapter_of(project, chapter)
    for complaint in execute_chapter(found.source, found.notebook, project.root):
        typer.echo(f"chapters/{found.name}.py, {complaint}", err=True)
    typer.echo(found.notebook.relative_to(project.root))


@app.command()
def lint() -> None:
    """Find result numbers that were typed instead of read from a table."""
    from llmlab.book.press.lint import check_prose

    check_prose(Project.find())
    typer.echo("No result is typed by hand.")


@app.command()
def render(
    version: Version = "dev",
    renderer: Annotated[
        str, typer.Option(metavar="NAME", help="Renderer: auto, quarto or preview.")
    ] = "auto",
) -> None:
    """Render all executed chapters to HTML and PDF, into site/NAME/."""
    from llmlab.book.press.render import render_book

    project = Project.find()
    done = render_book(project, version, renderer)
    if renderer == "auto" and done.renderer == "preview":
        typer.echo("Quarto is not installed; using the preview renderer instead.")
    folder = done.front_page.parent.relative_to(project.root)
    typer.echo(f"{counted(done.chapters, 'chapter')} rendered by {done.renderer} into {folder}/")
    typer.echo(f"  read   {done.how_to_read(project.root)}")
    typer.echo(f"  print  {done.pdf.relative_to(project.root)}")


@app.command("release")
def release_(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="Number of the version, such as 1.0.")
    ],
    renderer: Annotated[
        str, typer.Option(metavar="NAME", help="Renderer: auto, quarto or preview.")
    ] = "auto",
) -> None:
    """Render the committed book permanently into site/VERSION/, with an archive of its evidence."""
    from llmlab.book.publish.release import release

    done = release(Project.find(), version, renderer)
    typer.echo(
        f"{done.folder.name}: {done.megabytes:.1f} MB, of which the PDF {done.pdf_megabytes:.1f}; "
        f"the repository's files: {done.repository_megabytes:.1f} MB"
    )
    if not done.is_tagged:
        typer.echo(f"Next: git tag -a v{version} -m 'Version {version}' && git push --tags")


@app.command()
def changes(
    since: Annotated[
        str | None,
        typer.Option(metavar="TAG", help="Tag or commit to compare with. Default: latest version."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to FILE instead of the terminal.")
    ] = None,
) -> None:
    """List in Markdown what changed in verdicts and tables since a version."""
    from llmlab.book.versions.comparison import changes_since_former
    from llmlab.book.versions.saying import comment
    from llmlab.book.versions.tags import tag_named
    from llmlab.method.files import require_writable, write_file

    if out:
        require_writable(out)
    project = Project.find()
    tag = None if since is None else tag_named(project.root, since)
    said = comment(changes_since_former(project, tag))
    if out:
        write_file(out, said + "\n")
    else:
        typer.echo(said)


@app.command()
def check(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A rendered book. Default: site/dev.")
    ] = None,
    accessibility: Annotated[
        bool, typer.Option("--accessibility", help="Also check WCAG 2.1 AA with axe, in Chromium.")
    ] = False,
) -> None:
    """Check a rendered book: is it complete, does it work offline, is it valid HTML, is it light?

    Links, references and images must lead somewhere, and nothing may be loaded from outside. A page
    may weigh at most 500 KB as sent by a server, without explorers' data. Of pages that Quarto
    wrote, invalid HTML and weight are reported only.
    """
    from llmlab.book.gates import validity, weight
    from llmlab.book.press.check import check_site, is_preview
    from llmlab.book.press.contents import read_contents

    project = Project.find()
    site, contents = folder or project.site / "dev", read_contents(project)
    problems = list(check_site(site, contents))
    flaws = [*validity.invalid_pages(site), *weight.heavy_pages(site)]
    if is_preview(site):
        problems += flaws
    if accessibility:
        problems += _inaccessible(site, [site / chapter.page for chapter in contents.chapters])
    _refuse(site, problems)
    for flaw in flaws:
        typer.echo(f"{flaw} (as Quarto wrote it)", err=True)
    light = "complete" if flaws else "complete, valid and light"
    accessible = ", and axe finds all pages accessible" if accessibility else ""
    typer.echo(f"{site} is {light}; all links and references resolve{accessible}.")


def _inaccessible(site: Path, pages: Sequence[Path]) -> list[str]:
    """What axe finds on these pages; LabError if it or a browser is missing."""
    from llmlab.book.gates.accessibility import inaccessible_pages, why_not
    from llmlab.method.console import progress

    if missing := why_not():
        raise LabError(
            f"accessibility cannot be checked: {missing}; install it, or leave out --accessibility."
        )
    with progress("accessibility") as tell:
        return inaccessible_pages(site, list(filter(Path.is_file, pages)), tell)


def _refuse(site: Path, problems: Sequence[str]) -> None:
    for problem in problems:
        typer.echo(problem)
    if problems:
        found = counted(len(problems), "problem")
        raise LabError(f"{site} has {found}; fix the chapters and render again.")
