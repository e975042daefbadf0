import pytest
from filelock import FileLock

from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import answered, best_evidence, evidence_at, ranked_evidence
from llmlab.method.evidence.recording import record
from llmlab.method.evidence.reproduction import reproduction
from llmlab.method.judging.verdicts import smoke_agreement
from llmlab.method.running.parts import LOCK
from llmlab.method.running.runner import run_experiment
from llmlab.method.running.status import State, state, states


def test_without_results_there_is_no_evidence(lab) -> None:
    lab.add()
    assert evidence_at(lab.project, "toy", "smoke") is None
    assert state(lab.project, "toy", "smoke") == State("missing")
    with pytest.raises(LabError, match="no results of toy yet; `llmlab run toy --scale smoke` mak"):
        best_evidence(lab.project, "toy")


def test_finished_runs_without_tables_are_partial(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project, seeds=[0])
    assert evidence_at(lab.project, "toy", "smoke") is None
    assert state(lab.project, "toy", "smoke") == State("partial", "2 of 4 runs")


def test_tables_of_the_present_code_are_current(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    found = evidence_at(lab.project, "toy", "smoke")
    assert (found.state, found.origin, found.changes) == ("current", "fresh", ())
    assert len(found.runs) == 4
    assert len(found.curves) == 8
    assert state(lab.project, "toy", "smoke") == State("current", origin="fresh")


def test_a_real_change_makes_them_stale_and_is_named(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    lab.edit("toy", "tokens=3", "tokens=4")
    assert best_evidence(lab.project, "toy").changes == ("run",)
    assert state(lab.project, "toy", "smoke") == State("stale", "run", "fresh")


def test_stale_tables_with_some_new_runs_are_partial(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    toy = lab.edit("toy", "tokens=3", "tokens=4")
    run_experiment(toy, "smoke", lab.project, seeds=[0])
    assert state(lab.project, "toy", "smoke") == State("partial", "2 of 4 runs")


def test_a_folder_whose_lock_is_held_is_running(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project, seeds=[0])
    with FileLock(lab.project.fresh("smoke", "toy") / LOCK):
        assert state(lab.project, "toy", "smoke") == State("running", "2 of 4 runs")


def test_fresh_stands_before_recorded_and_current_before_stale(lab) -> None:
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project)
    record(lab.project, "toy", "smoke")
    assert evidence_at(lab.project, "toy", "smoke").origin == "fresh"
    changed = lab.edit("toy", "tokens=3", "tokens=4")
    run_experiment(changed, "smoke", lab.project)
    lab.edit("toy", "tokens=4", "tokens=3")
    assert evidence_at(lab.project, "toy", "smoke").origin == "recorded"


def test_the_largest_scale_is_the_best_evidence(lab) -> None:
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project)
    run_experiment(toy, "laptop", lab.project)
    assert best_evidence(lab.project, "toy").scale == "laptop"


def test_a_larger_scale_whose_budget_was_given_up_stands_behind_a_current_one(lab) -> None:
    lab.add()
    toy = lab.edit(
        "toy",
        '"laptop": Budget(',
        '"gpu": Budget({"rate": [1]}, 3, {"pause": 0.0}), "laptop": Budget(',
    )
    run_experiment(toy, "gpu", lab.project)
    run_experiment(toy, "laptop", lab.project)
    assert [each.scale for each in ranked_evidence(lab.project, "toy")] == ["gpu", "laptop"]
    lab.edit("toy", '{"rate": [1]}', '{"rate": [2]}')
    assert [each.scale for each in ranked_evidence(lab.project, "toy")] == ["laptop", "gpu"]


def test_a_current_smoke_table_does_not_stand_before_a_stale_larger_one(lab) -> None:
    toy = lab.add()
    run_experiment(toy, "laptop", lab.project)
    run_experiment(lab.edit("toy", "tokens=3", "tokens=4"), "smoke", lab.project)
    assert [each.scale for each in ranked_evidence(lab.project, "toy")] == ["laptop"]


def test_an_experiment_is_answered_while_its_table_is_current(lab) -> None:
    toy = lab.add()
    assert answered(lab.project, "smoke") == set()
    run_experiment(toy, "smoke", lab.project)
    assert answered(lab.project, "smoke") == {"toy"}
    lab.edit("toy", "tokens=3", "tokens=4")
    assert answered(lab.project, "smoke") == set()


def test_a_scale_without_budget_has_no_evidence(lab) -> None:
    lab.add()
    assert evidence_at(lab.project, "toy", "gpu") is None


def test_states_are_those_of_all_scales_with_a_budget(lab) -> None:
    lab.add()
    missing = State("missing")
    assert states(lab.project) == {"toy": {"smoke": missing, "laptop": missing}}


def test_a_stale_table_of_other_columns_stands_behind_a_smaller_one_that_fits(lab) -> None:
    run_experiment(lab.add(), "laptop", lab.project)
    toy = lab.edit("toy", '"loss"', '"error"')
    assert ranked_evidence(lab.project, "toy") == []
    assert state(lab.project, "toy", "laptop").reason.endswith("other columns")
    run_experiment(toy, "smoke", lab.project)
    assert [each.scale for each in ranked_evidence(lab.project, "toy")] == ["smoke"]


def test_tables_of_other_columns_are_not_compared(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    record(lab.project, "toy", "smoke")
    run_experiment(lab.edit("toy", '"loss"', '"error"'), "smoke", lab.project)
    assert reproduction(lab.project) == []
    agrees, said = smoke_agreement(lab.project, "toy")
    assert agrees is None
    assert "other columns" in said
