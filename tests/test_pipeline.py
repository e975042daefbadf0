"""What reruns after each kind of change, and that a killed build goes on, in a small book."""

import os
import re
import shutil
import signal
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from small_book import CHAPTERS, ROOT, Book, Edit, write_book

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """The small book, built once; what the build said is in `build/said.txt`."""
    small = write_book(tmp_path_factory.mktemp("book"))
    small.write("build/said.txt", small.build("--verbose"))
    return small


ALPHA, BETA = "alpha at smoke scale", "beta at smoke scale"
PAGES = {name: f"chapter {name}" for name in CHAPTERS}
BOOK = "HTML and PDF"
COMPARED = "fresh and recorded results"
SHOWS_ALPHA = {PAGES["results/alpha"], PAGES["hypotheses/ledger"], BOOK}
SHOWS_BETA = {PAGES["results/beta"], PAGES["hypotheses/ledger"], BOOK}


def replaced(old: str, new: str) -> Edit:
    return lambda text: text.replace(old, new)


def appended(line: str) -> Edit:
    return lambda text: text + line


def test_the_pipeline_looks_for_jobs_only_when_one_has_ended(book: Book) -> None:
    said = (book.root / "build/said.txt").read_text()
    assert 0 < said.count("Ready jobs: ") <= said.count("Finished job")


def test_a_second_build_runs_nothing(book: Book) -> None:
    assert book.scheduled() == set()


@pytest.mark.parametrize(
    ("path", "edit", "expected"),
    [
        pytest.param("src/llmlab/toys.py", appended("# a comment\n"), set(), id="comment"),
        pytest.param(
            "src/llmlab/toys.py", replaced("The loss after", "Loss after"), set(), id="docstring"
        ),
        pytest.param(
            "src/llmlab/toys.py",
            replaced("NOISE = 0.1", "NOISE = 0.2"),
            {ALPHA, BETA, COMPARED} | SHOWS_ALPHA | SHOWS_BETA,
            id="constant in the trainer",
        ),
        pytest.param(
            "src/llmlab/facts/best_rate.txt",
            replaced("0.5", "0.6"),
            {ALPHA, BETA, COMPARED} | SHOWS_ALPHA | SHOWS_BETA,
            id="file of data",
        ),
        pytest.param(
            "src/llmlab/experiments/beta.py",
            replaced('"smoke": Budget({"rate": [0.1,', '"smoke": Budget({"rate": [0.2,'),
            {BETA, COMPARED} | SHOWS_BETA,
            id="learning rate",
        ),
        pytest.param(
            "src/llmlab/experiments/alpha.py",
            replaced('"smoke": Budget({"rate": [0.1,', '"smoke": Budget({"rate": [0.2,'),
            {ALPHA, BETA, COMPARED} | SHOWS_ALPHA | SHOWS_BETA,
            id="learning rate of a needed experiment",
        ),
        pytest.param(
            "src/llmlab/experiments/beta.py",
            replaced("seeds=5", "seeds=6"),
            SHOWS_BETA,
            id="laptop budget",
        ),
        pytest.param(
            "src/llmlab/experiments/beta.py",
            replaced("The rate of beta", "Rates of beta"),
            SHOWS_BETA,
            id="title of an experiment",
        ),
        pytest.param("chapters/results/beta.py", replaced("# # Beta", "# # B"), {BOOK}, id="prose"),
        pytest.param(
            "chapters/results/beta.py",
            replaced("rate=0.1", "rate=0.4"),
            {PAGES["results/beta"], BOOK},
            id="code of a chapter",
        ),
        pytest.param(
            "chapters/hypotheses/hypotheses.toml",
            replaced("margin = 0.1", "margin = 0.2"),
            SHOWS_ALPHA,
            id="hypothesis",
        ),
        pytest.param(
            "src/llmlab/method/judging/verdicts.py",
            appended("SPARE = 1\n"),
            {*PAGES.values(), BOOK} - {PAGES["index"]},
            id="rule of verdicts",
        ),
        pytest.param("chapters/references.bib", replaced("2000", "2001"), {BOOK}, id="reference"),
        pytest.param("_quarto.yml", replaced("Nobody", "Somebody"), {BOOK}, id="contents"),
        pytest.param(
            "src/llmlab/book/press/assets/site/book.css",
            appended("/* end */"),
            {BOOK},
            id="style sheet",
        ),
        pytest.param(
            "src/llmlab/book/views/assets/kinds/samples.js",
            appended("// end"),
            {BOOK},
            id="script of a widget",
        ),
    ],
)
def test_what_reruns(book: Book, path: str, edit: Edit, expected: set[str]) -> None:
    assert book.after(path, edit) == expected


def test_recorded_results_are_shown_and_never_recomputed(book: Book) -> None:
    shutil.copytree(book.root / "build/results/smoke/beta", book.root / "results/laptop/beta")
    try:
        assert book.scheduled() == SHOWS_BETA
    finally:
        shutil.rmtree(book.root / "results")


def test_larger_fresh_results_are_shown_and_never_recomputed(book: Book) -> None:
    manifest = Path("build/results/laptop/beta/manifest.json")
    book.write(str(manifest), (book.root / "build/results/smoke/beta/manifest.json").read_text())
    try:
        assert book.scheduled() == SHOWS_BETA
    finally:
        shutil.rmtree(book.root / "build/results/laptop")


def test_results_computes_one_scale_and_no_chapter(book: Book) -> None:
    jobs = book.scheduled("results", "--config", "scale=laptop")
    assert jobs == {"alpha at laptop scale", "beta at laptop scale"}


def test_a_smoke_run_is_one_process(book: Book) -> None:
    target = "build/results/smoke/alpha/manifest.json"
    printed = book.build("--dry-run", "--printshellcmds", "--forceall", target)
    assert "llmlab run alpha --scale smoke --workers 1" in printed


def test_tables_made_by_hand_are_found_stale(book: Book) -> None:
    metadata, kept = book.root / ".snakemake", book.root / ".kept"
    book.scheduled()  # settles the digests after the changes of other tests
    metadata.rename(kept)
    for made in ("results/smoke/alpha", "results/smoke/beta", "reproduction", "chapters"):
        for path in (book.root / "build" / made).rglob("*"):
            path.touch()
    for path in (book.root / "site").rglob("*"):
        path.touch()
    try:
        assert book.scheduled() == set()
        edit = replaced('"smoke": Budget({"rate": [0.1,', '"smoke": Budget({"rate": [0.2,')
        assert book.after("src/llmlab/experiments/beta.py", edit) == {BETA, COMPARED} | SHOWS_BETA
    finally:
        shutil.rmtree(metadata)
        kept.rename(metadata)


def test_lost_results_are_computed_again(book: Book) -> None:
    made, kept = book.root / "build/results/smoke/beta", book.root / "build/kept"
    made.rename(kept)
    try:
        assert book.scheduled() == {BETA, COMPARED} | SHOWS_BETA
    finally:
        kept.rename(made)


def test_a_killed_build_goes_on_where_it_stopped(book: Book) -> None:
    folder = book.root / "build/results/laptop/alpha"
    target = str(folder.relative_to(book.root) / "runs.csv")
    process = book.start(target)
    _wait_for(lambda: any(folder.glob("parts/*/*")))
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    parts = {path: path.stat().st_mtime_ns for path in folder.glob("parts/*/*")}
    try:
        assert not (folder / "runs.csv").exists()
        book.build(target)
        runs = pd.read_csv(folder / "runs.csv")
        assert len(runs) == runs["run_id"].nunique() == 10
        assert parts == {path: path.stat().st_mtime_ns for path in parts}
    finally:
        shutil.rmtree(folder)


def test_new_prose_stands_around_the_old_outputs(book: Book) -> None:
    with book.edited("chapters/results/beta.py", replaced("# # Beta", "# # The second toy")):
        assert "chapter results/beta" not in book.build()
    page = (book.root / "site/dev/results/beta.html").read_text()
    assert "The second toy" in page
    assert "The loss is <span" in page


def test_a_failed_rendering_leaves_the_site_as_it_was(book: Book) -> None:
    page = book.root / "site/dev/index.html"
    before = page.read_text()
    with book.edited("chapters/index.py", appended("#\n# See @sec-nowhere.\n")):
        code, printed = book.run()
    assert code == 1
    assert "sec-nowhere" in printed
    assert page.read_text() == before
    assert BOOK in book.scheduled()


@pytest.mark.parametrize(
    ("path", "edit", "sentence"),
    [
        ("chapters/hypotheses/hypotheses.toml", replaced("loss", "los"), "did you mean 'loss'"),
        ("chapters/results/beta.py", replaced("'beta'", "'betta'"), "did you mean 'beta'"),
        ("_quarto.yml", replaced("results/beta", "results/betta"), "did you mean results/beta"),
    ],
)
def test_a_mistake_is_one_sentence(book: Book, path: str, edit: Edit, sentence: str) -> None:
    with book.edited(path, edit):
        code, printed = book.run("--dry-run")
    assert code == 1
    errors = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert sentence in errors[0]
    assert "Traceback" not in printed


def test_an_unknown_scale_is_one_sentence(book: Book) -> None:
    code, printed = book.run("results", "--config", "scale=laptp")
    assert code == 1
    assert "error: unknown scale 'laptp' (did you mean 'laptop'?)" in printed


def test_the_pipeline_passes_its_own_lint(book: Book) -> None:
    assert "good condition" in book.build("--lint")


@pytest.mark.parametrize(
    ("environment", "extras"),
    [("experiment", ["market"]), ("book", ["book", "market"])],
    ids=["experiment", "book"],
)
def test_conda_environments_hold_what_the_package_asks_for(
    environment: str, extras: list[str]
) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(declared["dependencies"])
    for extra in extras:
        wanted += declared["optional-dependencies"][extra]
    conda = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())
    assert conda["channels"] == ["conda-forge"]
    *lines, by_pip = conda["dependencies"]
    held = {line.split()[0]: line for line in [*lines, *by_pip["pip"]]}
    for line in wanted:
        name, bounds = re.fullmatch(r"([\w-]+)(?:\[\w+\])?(\S+)", line).groups()
        if name not in ONLY_FOR_THE_PREVIEW:
            conda_name = CONDA_NAMES.get(name, name)
            assert held.get(conda_name) == f"{conda_name} {bounds}"


CONDA_NAMES = {"matplotlib": "matplotlib-base", "torch": "pytorch"}
ONLY_FOR_THE_PREVIEW = {"pagefind", "pagefind-bin-extended", "pikepdf", "pypandoc-binary", "typst"}


def _wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)
