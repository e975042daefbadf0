import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmlab.method.evidence import modules
from llmlab.method.evidence.definitions import parse_module
from llmlab.method.evidence.modules import closure, closure_of, imports_of_file, source_digest

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


FORMATTED = 'def padded(x, width):\n    return f"{x:>{width}}"\n'


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes modules of another package named llmlab, by dotted name."""
    monkeypatch.setattr(modules, "SOURCE", tmp_path)

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
    assert list(closure_of(imports_of_file(chapter))) == ["llmlab", "llmlab.a", "llmlab.b"]


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


def test_an_fstring_has_one_digest_and_form_under_every_python(tmp_path: Path) -> None:
    digest = "23fdb5e4436e91ce8e82d6b94cddf4d17a4484b67572373b3913824d93c14b27"
    assert _digest(tmp_path, FORMATTED) == digest
    path = tmp_path / "module.py"
    path.write_text(FORMATTED)
    (form,) = parse_module("llmlab.module", path).definitions["padded"]
    assert "values=['>', FormattedValue(value=width, conversion=-1, ), ]" in form


def _digest(folder: Path, source: str) -> str:
    path = folder / f"{hash(source)}.py"
    path.write_text(source)
    return source_digest(path)
