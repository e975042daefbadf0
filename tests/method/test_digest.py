import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmlab.method import digest
from llmlab.method.digest import closure, closure_of_file, fingerprint, source_digest
from llmlab.method.errors import LabError

WRITTEN = """
def area(radius: float) -> float:
    x = 3
    if radius:
        return x * radius**2
    return f"{x!r:>4}"


class Circle:
    sides: int = 0

    async def draw(self, *points, **options):
        return [point for point in points if point]
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes modules of another package named llmlab, by dotted name."""
    monkeypatch.setattr(digest, "SOURCE", tmp_path)

    def write(**modules: str) -> Path:
        for name, source in modules.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(source)
        (tmp_path / "llmlab" / "__init__.py").touch()
        return tmp_path

    return write


@pytest.mark.parametrize(
    "statement",
    [
        "import llmlab.gpt.model",
        "import llmlab.gpt.model as m",
        "from llmlab.gpt import model",
        "from llmlab.gpt.model import GPT",
        "from llmlab.gpt.model import *",
        "from ..gpt import model",
        "from ..gpt.model import GPT",
        "def run():\n    from llmlab.gpt.model import GPT",
        "if True:\n    import json, llmlab.gpt.model",
    ],
)
def test_every_form_of_import_is_followed(package, statement: str) -> None:
    package(llmlab__tune__loop=statement, llmlab__gpt__model="", llmlab__gpt__other="")
    assert list(closure("llmlab.tune.loop")) == [
        "llmlab",
        "llmlab.gpt",
        "llmlab.gpt.model",
        "llmlab.tune",
        "llmlab.tune.loop",
    ]


def test_imports_of_imports_are_followed_also_in_a_circle(package) -> None:
    package(
        llmlab__a="from . import b", llmlab__b="import llmlab.c, torch", llmlab__c="import llmlab.a"
    )
    assert list(closure("llmlab.a")) == ["llmlab", "llmlab.a", "llmlab.b", "llmlab.c"]


def test_a_script_outside_the_package_has_a_closure_without_itself(package) -> None:
    root = package(llmlab__a="from . import b", llmlab__b="")
    chapter = root / "chapter.py"
    chapter.write_text("# %% [markdown]\n# # Title\n# %%\nfrom llmlab.a import x\n")
    assert list(closure_of_file(chapter)) == ["llmlab", "llmlab.a", "llmlab.b"]


blank = st.sampled_from(["", "# a comment", "\n\n", "   # indented comment"])


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blanks=st.lists(blank, min_size=14, max_size=14))
def test_comments_and_blank_lines_never_change_the_digest(tmp_path: Path, blanks) -> None:
    lines = WRITTEN.splitlines()
    noisy = "\n".join(part for pair in zip(lines, blanks, strict=False) for part in pair)
    assert _digest(tmp_path, noisy) == _digest(tmp_path, "\n".join(lines[:14]))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="ascii", exclude_characters='"\\')))
def test_docstrings_never_change_the_digest(tmp_path: Path, text: str) -> None:
    tree = ast.parse(WRITTEN)
    docstring = ast.Expr(ast.Constant(text))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            node.body.insert(0, docstring)
    documented = ast.unparse(ast.fix_missing_locations(tree))
    assert _digest(tmp_path, documented) == _digest(tmp_path, WRITTEN)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.one_of(st.integers(), st.floats(allow_nan=False), st.text(), st.none()))
def test_another_constant_always_changes_the_digest(tmp_path: Path, value) -> None:
    changed = WRITTEN.replace("x = 3", f"x = {value!r}")
    assert (_digest(tmp_path, changed) == _digest(tmp_path, WRITTEN)) == (repr(value) == "3")


def _digest(folder: Path, source: str) -> str:
    path = folder / f"{hash(source)}.py"
    path.write_text(source)
    return source_digest(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('title="A toy"', 'title="Another"'),
        ('summary="Draws numbers."', 'summary="Draws."'),
        ('question="Q-TOY"', 'question="Q-OTHER"'),
        ('"Learning rate."', '"The learning rate.", unit="1"'),
        ('"lower", tolerance=0.1', '"lower", tolerance=0.2'),
        ("run=run", 'run=run, selection_metric="loss"'),
        ("seeds=3", "seeds=4"),
        ("time.sleep", "# wait\n    time.sleep"),
        ("EXPERIMENT =", "SEEDS = 3\nEXPERIMENT ="),
    ],
)
def test_what_no_smoke_run_can_see_leaves_its_fingerprint(lab, old: str, new: str) -> None:
    before = fingerprint(lab.add(), "smoke")
    assert fingerprint(lab.edit("toy", old, new), "smoke").changes_since(before) == ()


@pytest.mark.parametrize(
    ("old", "new", "changes", "reruns"),
    [
        ("draw()}, {", "-draw()}, {", ("llmlab.experiments.toy",), True),
        ('"pause": 0.0', '"pause": 0.1', ("budget",), True),
        ('{"pause": 0.0}', '{"pause": 0.0}, threads=2', ("budget",), True),
        ("seeds=2", "seeds=5", ("budget",), False),
        ("[1e-05, 0.1]}", "[1e-05, 0.2]}", ("budget",), False),
    ],
)
def test_a_real_change_is_named_and_reruns_only_what_it_touches(
    lab, old: str, new: str, changes: tuple[str, ...], reruns: bool
) -> None:
    before = fingerprint(lab.add(), "smoke")
    after = fingerprint(lab.edit("toy", old, new), "smoke")
    assert after.changes_since(before) == changes
    assert after.digest != before.digest
    assert (after.run_digest != before.run_digest) == reruns


def test_what_only_the_budgets_use_does_not_count_as_code(lab) -> None:
    lab.add()
    lab.edit("toy", "EXPERIMENT =", "def pause():\n    return PAUSE\n\n\nPAUSE = 0.0\nEXPERIMENT =")
    before = fingerprint(lab.edit("toy", '{"pause": 0.05}', '{"pause": pause()}'), "smoke")
    after = fingerprint(lab.edit("toy", "PAUSE = 0.0", "PAUSE = 1.0"), "smoke")
    assert after.changes_since(before) == ()


def test_an_experiment_that_a_function_declares_is_reduced_to_what_a_run_sees(lab) -> None:
    lab.add()
    maker = "def made(**declared):\n    return Experiment(**declared)\n\n\nEXPERIMENT = made("
    before = fingerprint(lab.edit("toy", "EXPERIMENT = Experiment(", maker), "smoke")
    assert fingerprint(lab.edit("toy", "seeds=3", "seeds=4"), "smoke") == before
    assert fingerprint(lab.edit("toy", "made(", "made(spare=1, "), "smoke").run_digest != (
        before.run_digest
    )


def test_a_change_in_an_imported_module_is_named(lab) -> None:
    before = fingerprint(lab.add(), "smoke")
    contract = lab.root / "src" / "llmlab" / "method" / "experiment.py"
    contract.write_text(contract.read_text() + "\nEXTRA = 1\n")
    after = fingerprint(lab.load("toy"), "smoke")
    assert after.changes_since(before) == ("llmlab.method.experiment",)


def test_a_change_in_a_needed_experiment_is_named(lab) -> None:
    lab.add()
    lab.add(name="base")
    before = fingerprint(lab.edit("toy", "run=run", 'run=run, needs=["base"]'), "smoke")
    lab.edit("base", "tokens=3", "tokens=4")
    assert fingerprint(lab.load("toy"), "smoke").changes_since(before) == ("needs base",)


def test_experiments_that_need_each_other_in_a_circle_are_refused(lab) -> None:
    lab.add(name="base")
    lab.add()
    lab.edit("base", "run=run", 'run=run, needs=["toy"]')
    toy = lab.edit("toy", "run=run", 'run=run, needs=["base"]')
    with pytest.raises(LabError, match=r"circle \(toy needs base needs toy\)"):
        fingerprint(toy, "smoke")
