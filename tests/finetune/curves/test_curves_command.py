import json
from pathlib import Path

import pytest
from calling import exit_status


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    return exit_status(monkeypatch, "curves", *arguments)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [
        f"{run},loss,{step},{4 / (1 + step) + 9 * (step == 20)}"
        for run in "ab"
        for step in range(40)
    ]
    path = tmp_path / "curves.csv"
    path.write_text("\n".join(["run_id,metric,step,value", *rows]))
    return path


def test_every_run_gets_a_report(table: Path, monkeypatch, capsys) -> None:
    assert call(monkeypatch, table) == 0
    assert capsys.readouterr().out.count("spike") == 2


def test_json_is_for_programs(table: Path, monkeypatch, capsys) -> None:
    assert call(monkeypatch, table, "--json", "--run", "b") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["run"] == "b"
    assert [f["step"] for f in found["findings"] if f["what"] == "spike"] == [20]


def test_a_name_that_no_run_has_is_one_sentence(table: Path, monkeypatch, capsys) -> None:
    assert call(monkeypatch, table, "--run", "c") == 1
    assert (
        capsys.readouterr().err
        == "error: no run has 'c' in its name; correct --run: one run is named a.\n"
    )


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path, monkeypatch, capsys) -> None:
    assert call(monkeypatch, tmp_path / "run.csv") == 1
    assert capsys.readouterr().err.startswith("error: there is no file")
