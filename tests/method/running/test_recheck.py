"""One recorded run a day is made again: which, whether it agrees, and within its time."""

from datetime import date, timedelta

from llmlab.method.checksums import file_sha256
from llmlab.method.evidence.lookup import recorded_evidence
from llmlab.method.evidence.recording import record
from llmlab.method.running.recheck import recheck, todays_row
from llmlab.method.running.runner import run_experiment

DAY = date(2026, 11, 26)


def recorded(lab):
    run_experiment(lab.add(), "smoke", lab.project, workers=1)
    record(lab.project, "toy", "smoke")
    return recorded_evidence(lab.project, "toy", "smoke")


def test_every_run_has_its_turn(lab):
    evidence = recorded(lab)
    rows = [todays_row(evidence, DAY + timedelta(days)) for days in range(len(evidence.runs))]
    assert sorted(row["run_id"] for row in rows) == sorted(evidence.runs["run_id"])


def test_a_run_that_gives_what_is_recorded_agrees(lab):
    recorded(lab)
    (found,) = recheck(lab.project, 60, DAY, "smoke")
    assert (found.experiment, found.drifted, found.skipped) == ("toy", (), "")
    assert found.seconds > 0


def test_a_recorded_number_that_nothing_gives_is_found(lab):
    evidence = recorded(lab)
    table = evidence.folder / "runs.csv"
    row = todays_row(evidence, DAY)
    wrong = table.read_text().replace(f"{row['loss']}", "1234.5")
    table.write_text(wrong)
    manifest = evidence.folder / "manifest.json"
    manifest.write_text(
        manifest.read_text().replace(evidence.manifest.sha256["runs.csv"], file_sha256(table))
    )
    (found,) = recheck(lab.project, 60, DAY, "smoke")
    assert "1234.5 recorded" in found.drifted[0]


def test_what_does_not_fit_into_its_time_is_not_begun(lab):
    recorded(lab)
    (found,) = recheck(lab.project, 0, DAY, "smoke")
    assert "0 s are left" in found.skipped
