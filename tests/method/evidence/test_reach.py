"""What a run reaches, by mutation: each edit of a small package leaves its digest or changes it."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from llmlab.method.environment import DATA_DIR
from llmlab.method.evidence.reach import Reach, circles, reach, still_source

PACKAGE = {
    "llmlab/__init__.py": "",
    "llmlab/lab/__init__.py": '"""A lab."""\n',
    "llmlab/lab/errors.py": """
        class LabError(Exception):
            pass
    """,
    "llmlab/lab/config.py": """
        from dataclasses import dataclass

        WIDTH = 4
        TABLE = {"wide": WIDTH * 2, "narrow": 1}
        UNUSED = 3


        @dataclass(frozen=True)
        class Config:
            width: int = WIDTH
            depth: int = 2

            def size(self) -> int:
                return self.width * self.depth
    """,
    "llmlab/lab/model.py": """
        import math
        from functools import cache

        from llmlab.lab import config as settings
        from llmlab.lab.config import Config
        from llmlab.lab.errors import LabError


        class Layer:
            scale = 1.0

            def forward(self, x):
                return x * self.scale


        class Model(Layer):
            def __init__(self, config: Config) -> None:
                self.config = config

            def forward(self, x):
                return twice(super().forward(x)) + settings.TABLE["wide"]


        @cache
        def twice(x):
            if x < 0:
                raise LabError(f"{x} is below zero; give a larger one.")
            return math.sqrt(4) * x


        def even(n: int) -> bool:
            return True if n == 0 else odd(n - 1)


        def odd(n: int) -> bool:
            return False if n == 0 else even(n - 1)


        def unused(x):
            return x
    """,
    "llmlab/lab/at_once.py": """
        def run_at_once(trials):
            return [len(trials)]
    """,
    "llmlab/experiments/__init__.py": "",
    "llmlab/experiments/wide.py": """
        from llmlab.lab.errors import LabError


        def run(trial):
            from llmlab.lab.config import Config
            from llmlab.lab.model import Model, even

            model = Model(Config(width=trial.width))
            unused = [model.forward(odd) for odd in range(3)]
            return sum(unused) if even(2) else None


        EXPERIMENT = declare(
            name="wide", budgets={}, run=run, together="llmlab.lab.at_once:run_at_once"
        )
    """,
    "llmlab/experiments/plain.py": """
        def run(trial):
            return trial.seed


        EXPERIMENT = declare(name="plain", budgets={}, run=run)
    """,
}


class Package:
    """The small package in a folder, to edit and to measure."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for path, source in PACKAGE.items():
            self.write(path, dedent(source))

    def write(self, path: str, source: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(source)

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def replace(self, path: str, old: str, new: str) -> None:
        assert old in self.read(path)
        self.write(path, self.read(path).replace(old, new))

    def move(self, path: str, to: str) -> None:
        """Rename a module, and every import of it."""
        (self.root / to).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).rename(self.root / to)
        old, new = (name.removesuffix(".py").replace("/", ".") for name in (path, to))
        for file in self.root.rglob("*.py"):
            head, _, name = new.rpartition(".")
            old_head, _, old_name = old.rpartition(".")
            text = file.read_text().replace(old, new)
            text = text.replace(f"from {old_head} import {old_name}", f"from {head} import {name}")
            file.write_text(text)

    def reach(self, name: str = "wide", *, together: bool = False) -> Reach:
        return reach(self.root, f"llmlab.experiments.{name}", "EXPERIMENT", together=together)


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(tmp_path)


Edit = Callable[[Package], None]


def swap(path: str, old: str, new: str) -> Edit:
    return lambda package: package.replace(f"llmlab/{path}", old, new)


def append(path: str, text: str) -> Edit:
    return lambda package: package.write(
        f"llmlab/{path}", package.read(f"llmlab/{path}") + dedent(text)
    )


def rename_everywhere(old: str, new: str) -> Edit:
    def edit(package: Package) -> None:
        for file in package.root.rglob("*.py"):
            file.write_text(file.read_text().replace(old, new))

    return edit


def cut_model_in_two(package: Package) -> None:
    """Move a function that others call into a module of its own."""
    source = package.read("llmlab/lab/model.py")
    at, end = source.index("@cache"), source.index("def even")
    package.write(
        "llmlab/lab/arithmetic.py",
        "import math\nfrom functools import cache\nfrom llmlab.lab.errors import LabError\n\n\n"
        + source[at:end],
    )
    rest = source[:at] + source[end:]
    package.write(
        "llmlab/lab/model.py",
        rest.replace("import math", "from llmlab.lab.arithmetic import twice"),
    )


UNCHANGED: dict[str, Edit] = {
    "a module moves": lambda p: p.move("llmlab/lab/model.py", "llmlab/lab/deep/net.py"),
    "a file gets another name": lambda p: p.move("llmlab/lab/config.py", "llmlab/lab/shape.py"),
    "a module is cut in two": cut_model_in_two,
    "a function gets another name": rename_everywhere("twice", "doubled"),
    "a class gets another name": rename_everywhere("Model", "Network"),
    "a table gets another name": rename_everywhere("TABLE", "SIZES"),
    "an unused function": append("lab/model.py", "\n\ndef new(x):\n    return x\n"),
    "an unused constant": append("lab/config.py", "\nNEW = 5\n"),
    "a constant that nothing reads": swap("lab/config.py", "UNUSED = 3", "UNUSED = 4"),
    "a function like a local name": append(
        "experiments/wide.py", "\n\ndef unused():\n    return 1\n"
    ),
    "an error is reworded": swap(
        "lab/model.py", "is below zero; give", "must not be negative; take"
    ),
    "a docstring": swap("lab/model.py", "def twice(x):\n", 'def twice(x):\n    """Two x."""\n'),
    "a comment": swap("lab/model.py", "@cache\n", "# why\n@cache\n"),
    "layout": swap(
        "lab/model.py", "return math.sqrt(4) * x", "return (\n        math.sqrt(4) * x\n    )"
    ),
    "an annotation of a function": swap("lab/model.py", "even(n: int) -> bool", "even(n)"),
    "an annotation of a local": swap(
        "experiments/wide.py", "    unused = [", "    unused: list = ["
    ),
    "an import in another form": swap(
        "lab/model.py",
        "from llmlab.lab import config as settings",
        "import llmlab.lab.config as settings",
    ),
    "a relative import": swap("lab/model.py", "from llmlab.lab.config", "from .config"),
    "another way to a library": swap("lab/model.py", "import math\n", "import math, json\n"),
    "an import that nothing uses": swap(
        "experiments/wide.py", "\n\ndef run", "\nimport json\n\n\ndef run"
    ),
    "the name that it declares": swap("experiments/wide.py", 'name="wide"', 'name="wider"'),
    "what runs it on a GPU": swap("lab/at_once.py", "len(trials)", "-len(trials)"),
    "code for type checkers": swap(
        "lab/model.py",
        "import math\n",
        "import math\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import torch\n",
    ),
    "what runs as a script only": append(
        "lab/model.py", '\n\nif __name__ == "__main__":\n    print(1)\n'
    ),
}

CHANGED: dict[str, tuple[Edit, str]] = {
    "a constant in a reached function": (swap("lab/model.py", "sqrt(4)", "sqrt(5)"), "twice"),
    "a default of a reached dataclass": (
        swap("lab/config.py", "depth: int = 2", "depth: int = 3"),
        "Config",
    ),
    "a field's annotation": (swap("lab/config.py", "depth: int = 2", "depth: float = 2"), "Config"),
    "a new field": (
        swap("lab/config.py", "depth: int = 2", "depth: int = 2\n    heads: int = 1"),
        "Config",
    ),
    "a branch two calls down": (swap("lab/model.py", "if x < 0", "if x <= 0"), "twice"),
    "the type that is raised": (
        swap("lab/model.py", "raise LabError(", "raise ValueError("),
        "LabError",
    ),
    "a base class": (swap("lab/model.py", "scale = 1.0", "scale = 2.0"), "Layer"),
    "other bases": (swap("lab/model.py", "Model(Layer)", "Model(Layer, Exception)"), "Model"),
    "a decorator": (swap("lab/model.py", "@cache\n", ""), "twice"),
    "a decorator's arguments": (swap("lab/config.py", "(frozen=True)", "(frozen=False)"), "Config"),
    "a table of the module": (swap("lab/config.py", "WIDTH * 2", "WIDTH * 3"), "TABLE"),
    "a constant behind a table": (swap("lab/config.py", "WIDTH = 4", "WIDTH = 5"), "WIDTH"),
    "a circle of functions": (swap("lab/model.py", "return False if", "return None if"), "odd"),
    "another library": (swap("lab/model.py", "import math", "import cmath as math"), "twice"),
    "a statement of a reached module": (append("lab/model.py", "\nLayer.scale = 3.0\n"), "#0"),
    "a statement of a package above": (append("lab/__init__.py", "\nprint(1)\n"), "#0"),
    "what it declares to run": (
        swap("experiments/wide.py", "run=run", "run=lambda trial: run(trial)"),
        "EXPERIMENT",
    ),
}


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_no_run_can_see_leaves_the_digest(package: Package, name: str) -> None:
    before = package.reach()
    UNCHANGED[name](package)
    assert package.reach().digest == before.digest


@pytest.mark.parametrize("name", CHANGED)
def test_a_real_change_is_seen_where_it_is_reached_and_only_there(
    package: Package, name: str
) -> None:
    edit, changed = CHANGED[name]
    before, elsewhere = package.reach(), package.reach("plain")
    edit(package)
    after = package.reach()
    assert after.digest != before.digest
    assert package.reach("plain").digest == elsewhere.digest
    differs = {
        item[0].rpartition(".")[2] for item in {*before.code.items()} ^ {*after.code.items()}
    }
    assert changed in differs


def test_code_for_runs_together_counts_for_these_alone(package: Package) -> None:
    alone, together = package.reach(), package.reach(together=True)
    package.replace("llmlab/lab/at_once.py", "len(trials)", "-len(trials)")
    assert package.reach().digest == alone.digest
    assert package.reach(together=True).digest != together.digest
    assert "lab.at_once.run_at_once" in together.code
    assert "lab.at_once.run_at_once" not in alone.code


@pytest.mark.parametrize(
    "use",
    [
        "vars(m)",
        "getattr(m, trial.name)",
        "m.missing",
        "__import__(trial.name)",
        "import_module('llmlab.lab.model')",
    ],
)
def test_a_module_counts_whole_where_nobody_can_tell_what_is_used(
    package: Package, use: str
) -> None:
    imports = "from importlib import import_module\n    from llmlab.lab import model as m\n"
    package.replace(
        "llmlab/experiments/plain.py", "    return", f"    {imports}    {use}\n    return"
    )
    found = package.reach("plain")
    assert found.whole in (("llmlab.lab.model",), ("llmlab.experiments.plain",))
    package.replace("llmlab/lab/model.py", "def unused(x):", "def unused(x, y):")
    changed = package.reach("plain").digest != found.digest
    assert changed == (found.whole == ("llmlab.lab.model",))


def test_names_that_are_passed_on_lead_to_where_they_are_defined(package: Package) -> None:
    direct = package.reach().digest
    package.write(
        "llmlab/lab/all.py", "from llmlab.lab.model import *\nfrom .config import Config\n"
    )
    rename = "from llmlab.lab.all import Config, Model, even"
    package.replace("llmlab/experiments/wide.py", "from llmlab.lab.config import Config", "pass")
    package.replace(
        "llmlab/experiments/wide.py", "from llmlab.lab.model import Model, even", rename
    )
    assert package.reach().digest == direct


def test_both_branches_of_an_import_count(package: Package) -> None:
    package.write("llmlab/lab/other.py", "def twice(x):\n    return x + x\n")
    package.replace(
        "llmlab/lab/model.py",
        "import math\n",
        "import math\ntry:\n    import numpy\nexcept ImportError:\n"
        "    from llmlab.lab.other import twice as thrice\n",
    )
    package.replace("llmlab/lab/model.py", "return math.sqrt(4) * x", "return thrice(x)")
    before = package.reach().digest
    package.replace("llmlab/lab/other.py", "x + x", "x * 2")
    assert package.reach().digest != before


@pytest.mark.parametrize("file", ["llmlab/lab/late.py", "llmlab/lab/late/__init__.py"])
def test_a_module_that_appears_after_it_was_looked_for_is_seen(package: Package, file: str) -> None:
    use = "    from llmlab.lab.late import draw\n    draw()\n    return"
    package.replace("llmlab/experiments/plain.py", "    return", use)
    assert "lab.late.draw" not in package.reach("plain").code
    package.write(file, "def draw():\n    return 1\n")
    assert "lab.late.draw" in package.reach("plain").code


READS_FACTS = '    open("llmlab/lab/facts.csv")\n    return'


def test_a_file_of_data_counts_by_its_content(package: Package) -> None:
    package.write("llmlab/lab/facts.csv", "gpu,watts\nH100,700\n")
    package.replace("llmlab/experiments/plain.py", "    return", READS_FACTS)
    before, elsewhere = package.reach("plain"), package.reach()
    assert before.data == (package.root / "llmlab/lab/facts.csv",)
    assert {*before.data} < {*before.files}

    package.write("llmlab/lab/facts.csv", "gpu,watts\nH100,350\n")
    after = package.reach("plain")
    assert after.digest != before.digest
    assert {label for label, _ in {*before.code.items()} ^ {*after.code.items()}} == {
        "lab/facts.csv"
    }
    assert package.reach().digest == elsewhere.digest


def test_a_file_of_data_counts_without_its_line_endings(package: Package) -> None:
    package.replace("llmlab/experiments/plain.py", "    return", READS_FACTS)
    package.write("llmlab/lab/facts.csv", "gpu,watts\n")
    before = package.reach("plain").digest
    (package.root / "llmlab/lab/facts.csv").write_bytes(b"gpu,watts\r\n")
    assert package.reach("plain").digest == before


def test_a_file_of_data_that_appears_is_seen(package: Package) -> None:
    package.replace("llmlab/experiments/plain.py", "    return", READS_FACTS)
    assert package.reach("plain").data == ()
    package.write("llmlab/lab/facts.csv", "gpu,watts\n")
    assert "lab/facts.csv" in package.reach("plain").code


def test_a_table_of_the_users_own_counts_where_it_takes_the_place_of_one(
    package: Package, monkeypatch, tmp_path_factory
) -> None:
    package.replace("llmlab/experiments/plain.py", "    return", READS_FACTS)
    package.write("llmlab/lab/facts.csv", "gpu,watts\nH100,700\n")
    packaged = package.reach("plain").digest
    folder = tmp_path_factory.mktemp("own")
    monkeypatch.setenv(DATA_DIR, str(folder))
    assert package.reach("plain").digest == packaged

    own = folder / "facts.csv"
    for watts in ("350", "500"):
        own.write_text(f"gpu,watts\nH100,{watts}\n")
        assert package.reach("plain").data == (own,)
        assert package.reach("plain").digest != packaged
    own.write_text("gpu,watts\nH100,700\n")
    assert package.reach("plain").digest == packaged
    monkeypatch.delenv(DATA_DIR)
    assert package.reach("plain").data == (package.root / "llmlab/lab/facts.csv",)


def test_files_are_compared_once_for_many_definitions(package: Package, monkeypatch) -> None:
    before = package.reach()
    package.replace("llmlab/lab/config.py", "WIDTH = 4", "WIDTH = 5")
    looked = []
    monkeypatch.setattr(
        "llmlab.method.evidence.reach.file_version", lambda path: looked.append(path) or (0, 0)
    )
    with still_source():
        once = len(looked)
        changed = package.reach()
        assert changed.digest != before.digest
        read = len(looked)
        assert package.reach() is changed
        assert once <= read == len(looked)


def test_only_the_files_that_are_reached_are_named(package: Package) -> None:
    names = [path.relative_to(package.root).as_posix() for path in package.reach("plain").files]
    assert names == ["llmlab/experiments/plain.py"]


def test_what_is_not_defined_is_refused(package: Package) -> None:
    with pytest.raises(LookupError, match=r"llmlab\.lab\.model defines no NOTHING"):
        reach(package.root, "llmlab.lab.model", "NOTHING")


def test_circles_come_after_what_they_lead_to() -> None:
    graph = {"a": ["b"], "b": ["c", "d"], "c": ["b"], "d": ["e"], "e": [], "f": ["f", "gone"]}
    found = [sorted(circle) for circle in circles(graph)]
    assert found == [["e"], ["d"], ["b", "c"], ["a"], ["f"]]
