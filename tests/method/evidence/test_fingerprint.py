import pytest

from llmlab.method.errors import LabError
from llmlab.method.evidence.fingerprint import Fingerprint, fingerprint


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
        ("draw()}, {", "-draw()}, {", ("run",), True),
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


def test_a_change_in_what_a_run_calls_is_named_by_its_definition(lab) -> None:
    tools = lab.root / "src" / "llmlab" / "tools.py"
    tools.write_text("def draw():\n    return 1\n\n\ndef unused():\n    return 2\n")
    lab.add()
    imported = "from llmlab.tools import draw as number"
    lab.edit("toy", "    time.sleep", f"    {imported}\n\n    time.sleep")
    before = fingerprint(lab.edit("toy", "[(0, 1.0)", "[(0, number())"), "smoke")
    tools.write_text(tools.read_text().replace("return 2", "return 3"))
    assert fingerprint(lab.load("toy"), "smoke") == before
    tools.write_text(tools.read_text().replace("return 1", "return -1"))
    assert fingerprint(lab.load("toy"), "smoke").changes_since(before) == ("draw",)


def test_a_definition_with_another_name_is_not_told_of_twice(lab) -> None:
    tools = lab.root / "src" / "llmlab" / "tools.py"
    tools.write_text("def draw():\n    return 1\n")
    lab.add()
    lab.edit("toy", "    time.sleep", "    from llmlab.tools import draw\n\n    time.sleep")
    before = fingerprint(lab.edit("toy", "[(0, 1.0)", "[(0, draw())"), "smoke")
    tools.write_text("def drawn():\n    return 1\n")
    lab.edit("toy", "import draw\n", "import drawn\n")
    lab.edit("toy", "tokens=3", "tokens=4")
    after = fingerprint(lab.edit("toy", "draw())", "drawn())"), "smoke")
    assert after.changes_since(before) == ("run",)
    tools.write_text("def drawn():\n    return 2\n")
    changed = fingerprint(lab.load("toy"), "smoke").changes_since(before)
    assert changed == ("draw", "drawn", "run")


def test_a_fingerprint_of_an_older_form_tells_so(lab) -> None:
    now = fingerprint(lab.add(), "smoke")
    older = Fingerprint(now.budget, now.settings, now.needs, code={"llmlab.toy": "01"})
    assert now.changes_since(older) == ("the form of fingerprints",)


def test_a_change_in_a_needed_experiment_is_named(lab) -> None:
    lab.add()
    lab.add(name="base")
    before = fingerprint(lab.edit("toy", "run=run", 'run=run, needs=["base"]'), "smoke")
    lab.edit("base", "tokens=3", "tokens=4")
    assert fingerprint(lab.load("toy"), "smoke").changes_since(before) == ("needs base",)


def test_experiments_that_need_each_other_in_a_cycle_are_refused(lab) -> None:
    lab.add(name="base")
    lab.add()
    lab.edit("base", "run=run", 'run=run, needs=["toy"]')
    toy = lab.edit("toy", "run=run", 'run=run, needs=["base"]')
    with pytest.raises(LabError, match=r"cycle \(toy needs base needs toy\)"):
        fingerprint(toy, "smoke")
