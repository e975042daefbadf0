import sys
from pathlib import Path

import pytest

from llmlab.method.declare.catalog import catalog, check_scale, load_experiment, scale_budget
from llmlab.method.errors import LabError


def test_the_catalog_lists_every_experiment_by_name(lab) -> None:
    lab.add(name="later")
    lab.add(name="earlier")
    assert list(catalog()) == ["earlier", "later"]


def test_an_unknown_experiment_is_answered_with_the_nearest_name(lab) -> None:
    lab.add()
    with pytest.raises(LabError, match=r"unknown experiment 'tyo' \(did you mean 'toy'\?\)"):
        load_experiment("tyo")


def test_an_unknown_scale_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(LabError, match=r"unknown scale 'labtop' \(did you mean 'laptop'\?\)"):
        check_scale("labtop")


def test_a_scale_without_budget_names_those_that_have_one(lab) -> None:
    with pytest.raises(LabError, match="toy has no budget for scale 'gpu'; use one of smoke, lap"):
        scale_budget(lab.add(), "gpu")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('name="toy"', 'name="tyo"', "its name is 'tyo' but must equal the module's"),
        ('Axis("rate"', 'Axis("seed"', "'seed' is a column of every table"),
        ('Metric("loss"', 'Metric("rate"', "'rate' names two axes or metrics"),
        ("run=run", 'run=run, selection_metric="los"', r"selection_metric 'los'.*mean 'loss'"),
        ("run=run", 'run=run, needs=["ty"]', r"needs 'ty', which is not another.*mean 'toy'"),
        ('"smoke": Bud', '"smok": Bud', r"unknown scale 'smok' \(did you mean 'smoke'"),
        ('{"rate": [1e-05, 0.1]}', '{"rat": [1]}', r"smoke budget must cover exactly its axes"),
        ('{"rate": [1e-05, 0.1]}', '{"rate": []}', "smoke budget has no level for the axis 'rate'"),
        ('{"rate": [1e-05, 0.1]}', '{"rate": [1, 1]}', "repeats a level of the axis 'rate'"),
        (
            '{"rate": [1e-05, 0.1]}',
            '{"rate": [(1,)]}',
            r"\(1,\) in its smoke budget is not a str",
        ),
        ("seeds=2", "seeds=0", "smoke budget needs at least one seed"),
        ("EXPERIMENT =", "OTHER =", "must define EXPERIMENT"),
        ("import random", "import randum", r"toy.py cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_mistake_in_a_declaration_is_named(lab, old: str, new: str, complaint: str) -> None:
    lab.add()
    path: Path = lab.path("toy")
    path.write_text(path.read_text().replace(old, new))
    del sys.modules["llmlab.experiments.toy"]
    with pytest.raises(LabError, match=complaint):
        load_experiment("toy")
