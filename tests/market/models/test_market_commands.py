import json
from pathlib import Path

import pytest
from calling import exit_status


@pytest.fixture
def file(tmp_path: Path, draw) -> Path:
    path = tmp_path / "own.csv"
    draw(900).frame.to_csv(path)
    return path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    return exit_status(monkeypatch, "market", *arguments)


def test_a_run_judges_a_transformer_beside_simple_models(
    file: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    out = tmp_path / "out"
    assert call(monkeypatch, "run", "--csv", file, "--epochs", 1, "--out", out, "--json") == 0
    models = json.loads(capsys.readouterr().out)
    assert models == json.loads((out / "result.json").read_text(encoding="utf-8"))["models"]
    assert models["transformer, 2k"]["n_parameters"] == pytest.approx(2000, rel=1e-3)
    assert models["constant"]["gain"] == 0
    assert set(models) >= {"logistic", "HAR", "boosting"}


def test_a_search_goes_on_and_judges_its_best(
    file: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    options = ("--csv", file, "--epochs", 1, "--out", tmp_path / "found")
    assert call(monkeypatch, "search", *options, "--trials", 1) == 0
    assert call(monkeypatch, "search", *options, "--trials", 2) == 0
    told = capsys.readouterr()
    assert [line.split(":")[0] for line in told.err.splitlines()] == ["trial 0", "trial 1"]
    assert "best of the search" in told.out
    assert "The best of 2 trials: shape" in told.out
    assert call(monkeypatch, "search", *options, "--trials", 2, "--horizon", 2) == 1
    assert "another space (horizon differ" in capsys.readouterr().err


def test_a_search_over_too_few_days_leaves_nothing(
    draw, tmp_path: Path, monkeypatch, capsys
) -> None:
    file, out = tmp_path / "few.csv", tmp_path / "out"
    draw(600).frame.to_csv(file)
    assert call(monkeypatch, "search", "--csv", file, "--out", out) == 1
    assert "600 days are too few for 10 chunks" in capsys.readouterr().err
    assert not out.exists()


def test_the_balance_of_targets_is_shown(file: Path, monkeypatch, capsys) -> None:
    assert call(monkeypatch, "targets", "--csv", file, "--json") == 0
    shares = json.loads(capsys.readouterr().out)["own"]
    assert 0.3 < shares["1"]["0"] < 0.7
    assert shares["week"]["5"] < shares["week"]["1"]


def test_a_horizon_beyond_the_bars_has_a_dash_for_its_balance(
    draw, tmp_path: Path, monkeypatch, capsys
) -> None:
    draw(3).frame.to_csv(tmp_path / "few.csv")
    assert call(monkeypatch, "targets", "--csv", tmp_path / "few.csv") == 0
    (five,) = [line for line in capsys.readouterr().out.splitlines() if "5 days" in line]
    assert five.split() == ["5", "days", *"–––––"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--budget", "300"], "the nearest has 295"),
        (["--budget", "much"], "--budget much"),
        (["--budget", "1e12"], "takes 20,000.0 GB, and this machine has"),
        (["--tier", "b", "--budget", "20k"], "900 days are too few for 10 chunks"),
        (["--look-back", "12"], "give a multiple of 8 days"),
        (["--horizon", "month"], "--horizon cannot be month"),
        (["--horizon", "9" * 20], f"--horizon {'9' * 20} is longer than the 900 bars"),
        (["--look-back", "8" * 20], f"--look-back {'8' * 20} is longer than the 900 bars"),
        (["--threshold", "-1"], "--threshold cannot be -1"),
        (["--threshold", "60"], "comes true on none of the training days"),
        (["--learning-rate", "nan"], "--learning-rate nan learns nothing"),
        (["--chunk", "10"], "numbered 0 to 9"),
        (["--source", "arch"], "either --source or --csv"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    file: Path, tmp_path: Path, monkeypatch, capsys, options: list[str], sentence: str
) -> None:
    assert call(monkeypatch, "run", "--csv", file, *options, "--out", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
