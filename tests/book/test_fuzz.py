"""Whatever a file holds that the book reads: it is read, or a sentence says what is wrong."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import yaml
from fuzzing import ROUNDS, overwrite

from llmlab.book.press.cells import read_sheet
from llmlab.book.press.contents import CONFIG, Edition, read_contents
from llmlab.book.press.lint import typed_numbers
from llmlab.book.press.notebooks import read_script, refresh
from llmlab.book.press.quarto import gather
from llmlab.book.press.sources import code_of, inputs_of
from llmlab.book.views import read_view, widgets
from llmlab.book.views.kinds import kinds
from llmlab.method.errors import LabError
from llmlab.method.files import read_text
from llmlab.method.project import Project

PICTURES = 3
"""Of so many mutated views of a kind the still picture is drawn, too."""
GATHERED = 10
"""One in so many inputs goes through the whole book, too, which takes longer than to read it."""

ODD_BYTES = [
    b"\xe9",
    b"\x00",
    b"\xff\xfe",
    b"\r",
    b"'",
    b'"',
    b"{",
    b"[" * 3000,
    b"- ",
    b"&a *a",
    b"9" * 6000,
]
ODD_VALUES = [
    None, True, -1, 0, 2**31, 2**70, 1.5, float("inf"), float("nan"), 1e300, "", "x", "$x^{$",
    "\ud800", "\x00", "../../x", "a\nb", [], [[]], {}, {"a": 1}, [None], "y" * 5000,
]  # fmt: skip


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """The content with something deleted, doubled, cut off or put in."""
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    end = min(end, start + 40)
    return rng.choice(
        [
            content[:start] + content[end:],
            content[:end] + content[start:],
            content[:start],
            content[:start] + rng.choice(ODD_BYTES) + content[start:],
            content[:start] + rng.choice(ODD_BYTES) + content[end:],
        ]
    )


def mutated_value(value: object, rng: random.Random) -> object:
    """A copy of plain data in which one place has an odd value or is gone."""
    value = json.loads(json.dumps(value))
    places = list(places_in(value))
    holder, key = rng.choice(places)
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = rng.choice(ODD_VALUES)
    return value


def places_in(value: object) -> Iterator[tuple]:
    """Every container in plain data with each of its keys."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in list(keys):
        yield value, key
        yield from places_in(value[key])


def reads_or_says(read: Callable[[], object]) -> bool:
    """Whether something was read; otherwise it must have been refused in one line."""
    said = ""
    try:
        read()
    except LabError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 1000
    return not said


@pytest.fixture(scope="module")
def copy(executed_sample, tmp_path_factory) -> Project:
    root = tmp_path_factory.mktemp("fuzzed") / "book"
    shutil.copytree(executed_sample.root, root, ignore=shutil.ignore_patterns("site"))
    return Project(root)


@pytest.fixture
def restored(copy):
    """Puts files back as they were."""
    kept = {path: path.read_bytes() for path in copy.root.rglob("*") if path.is_file()}
    yield kept
    for path, content in kept.items():
        overwrite(path, content)


@pytest.mark.parametrize("mutate", ["bytes", "values"])
def test_contents(copy, restored, tmp_path, mutate):
    rng = random.Random(1)
    path = copy.root / CONFIG
    config = yaml.safe_load(restored[path])
    for index in range(ROUNDS // 2):
        if mutate == "bytes":
            overwrite(path, mutated_bytes(restored[path], rng))
        else:
            text = yaml.safe_dump(mutated_value(config, rng), allow_unicode=True)
            overwrite(path, text.encode("utf-8", "surrogatepass"))
        is_read = reads_or_says(lambda: read_contents(copy))
        if is_read and index % GATHERED == 0:
            reads_or_says(lambda: gather(copy, read_contents(copy), Edition("1", "a"), tmp_path))


def test_scripts(copy, restored):
    rng = random.Random(2)
    path = copy.chapters / "results" / "steps.py"
    for _ in range(ROUNDS):
        overwrite(path, mutated_bytes(restored[path], rng))
        reads_or_says(lambda: inputs_of(path))
        reads_or_says(lambda: code_of(path))
        reads_or_says(lambda: typed_numbers(read_text(path, "x.py"), "x.py"))
        reads_or_says(lambda: read_script(path, "x.py"))


@pytest.mark.parametrize("mutate", ["bytes", "values"])
def test_notebooks(copy, restored, tmp_path, mutate):
    rng = random.Random(3)
    contents = read_contents(copy)
    chapter = next(one for one in contents.chapters if one.name == "results/steps")
    whole = json.loads(restored[chapter.notebook])
    for index in range(ROUNDS // 2):
        if mutate == "bytes":
            changed = mutated_bytes(restored[chapter.notebook], rng)
        else:
            changed = json.dumps(mutated_value(whole, rng)).encode()
        overwrite(chapter.notebook, changed)
        reads_or_says(lambda: json.dumps(read_sheet(chapter, contents.options).markdown).encode())
        if index % GATHERED == 0:
            reads_or_says(lambda: refresh(chapter))
            reads_or_says(lambda: gather(copy, contents, Edition("1", "a"), tmp_path))


HEADS = {"tokens": ["a", "b"], "weights": [[[[255], [5, 250]]]], "checkpoint": 1}
VIEWS = {
    "attention": {"texts": [HEADS], "n_layers": 1, "n_heads": 1, "scores": {"copies": [[0.5]]}},
    "logit_lens": {
        "texts": [{"tokens": ["a"], "layers": [{"name": "n", "top": [[["x", 1]]], "loss": [1]}]}]
    },
    "activations": {"checkpoints": [{"step": 1, "layers": [{"name": "block 1", "std": 1.0}]}]},
    "checkpoints": {
        "steps": [{"step": 0, "train_loss": 4.0, "sample": "x", "attention": HEADS}],
        "curve": {"train": [[0, 4.0], [1, 3.0]]},
    },
    "samples": {"samples": [{"prompt": "a", "text": "x", "step": n} for n in (1, 2)]},
    "episodes": {
        "episodes": [
            {"koan": "k", "family": "f", "steps": [{"code": "x", "outcome": "green", "said": "y"}]}
        ]
    },
    "scaling_law": {"runs": [[10.0**n, 1.0 + 0.5**n] for n in range(9)]},
    "step_time": {
        "models": [{"name": "small", "layers": 2}],
        "accelerators": [{"name": "A", "memory": 8e10}],
        "coefficients": {"memory": 0.9},
        "plan": {"model": "small", "gpu": "A", "gpus": 8},
        "parts": [{"name": "matmul", "label": "products", "size": 1.5}],
        "memory": [{"name": "workspace", "label": "workspace", "size": 3e9}],
    },
}


def test_every_kind_of_view_is_mutated_here():
    assert set(VIEWS) == set(kinds())


@pytest.mark.parametrize("kind", VIEWS)
def test_views(kind):
    rng = random.Random(4)
    drawn = 0
    for _ in range(ROUNDS // 3):
        raw = mutated_value({"kind": kind, **VIEWS[kind]}, rng)
        if reads_or_says(partial(widgets.widget, "a view", raw, "x")) and drawn < PICTURES:
            read_view(raw, "x").draw("footer").canvas.draw()
            drawn += 1
    assert drawn == PICTURES


@pytest.mark.parametrize("n_layers", [2**31, 2**70])
def test_as_many_layers_as_no_memory_holds_are_refused(n_layers: int) -> None:
    raw = {"kind": "attention", **VIEWS["attention"], "n_layers": n_layers}
    with pytest.raises(LabError, match=f"not all texts and scores have {n_layers} layers"):
        widgets.widget("a view", raw, "x")


def test_odd_things_instead_of_a_view():
    for raw in ODD_VALUES:
        with pytest.raises(LabError):
            widgets.widget("a view", raw, "x")


def test_aliases_that_stand_for_gigabytes_are_refused(copy, restored):
    bomb = "a: &a [x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
        for old, new in zip("abcdefghi", "bcdefghij", strict=True)
    )
    (copy.root / CONFIG).write_text(bomb)
    with pytest.raises(LabError, match=r"an alias \(\*name\)"):
        read_contents(copy)


def test_a_byte_of_another_encoding_is_found(copy, restored):
    path = copy.chapters / "index.py"
    path.write_bytes(b"# %% [markdown]\n# caf\xe9\n")
    with pytest.raises(LabError, match=r"index\.py is not UTF-8 text: line 2 has the byte 0xe9"):
        inputs_of(path)


def test_a_byte_order_mark_is_no_part_of_a_script(copy, restored):
    path = copy.chapters / "index.py"
    path.write_bytes(b"\xef\xbb\xbf" + restored[path])
    assert read_script(path, "index.py").cells[0].source.startswith("# Preface")
