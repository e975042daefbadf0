import json

import pytest
from fuzzing import assert_survives, mutated_json, put_behind_digest

from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import fresh_evidence, recorded_evidence
from llmlab.method.evidence.recording import record
from llmlab.method.evidence.views import read_views
from llmlab.method.running.runner import run_experiment

VIEW = "views={'first words': {'kind': 'samples', 'steps': [0, trial.seed]}}, tokens=3"


def test_what_a_run_lets_see_is_recorded_with_its_tables(lab) -> None:
    lab.add()
    run_experiment(lab.edit("toy", "tokens=3", VIEW), "smoke", lab.project)
    record(lab.project, "toy", "smoke")
    found = recorded_evidence(lab.project, "toy", "smoke")
    assert {run_id: views["first words"]["steps"] for run_id, views in found.views.items()} == {
        row.run_id: [0, row.seed] for row in found.runs.itertuples()
    }


def test_without_views_there_is_no_file(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    found = fresh_evidence(lab.project, "toy", "smoke")
    assert found.views == {}
    assert not (found.folder / "views.json").exists()


def test_views_that_were_cut_short_are_refused(lab) -> None:
    lab.add()
    run_experiment(lab.edit("toy", "tokens=3", VIEW), "smoke", lab.project)
    path = lab.project.fresh("smoke", "toy") / "views.json"
    path.write_text(path.read_text()[:-9])
    with pytest.raises(LabError, match=r"views.json was cut short or edited"):
        _ = fresh_evidence(lab.project, "toy", "smoke").views


def test_fuzz_views_behind_a_mended_digest(lab) -> None:
    lab.add()
    run_experiment(lab.edit("toy", "tokens=3", VIEW), "smoke", lab.project)
    folder = lab.project.fresh("smoke", "toy")
    valid = json.loads((folder / "views.json").read_bytes())

    def read(content: bytes) -> None:
        put_behind_digest(folder, "views.json", content)
        for views in read_views(folder).values():
            assert all(isinstance(view, dict) for view in views.values())

    assert assert_survives(read, lambda draw: mutated_json(valid, draw)) > 0
