from pathlib import Path

import pandas as pd
import pytest
from calling import exit_status

from llmlab.market.bars.bars import Bars


@pytest.fixture
def file(tmp_path: Path, bars: Bars) -> Path:
    path = tmp_path / "own.csv"
    bars.frame.to_csv(path)
    return path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    return exit_status(monkeypatch, "market", "features", *arguments)


def test_a_table_is_written_with_a_column_for_each_feature(
    file: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    options = ("--volatility-index", "proxy", "--out", tmp_path)
    assert call(monkeypatch, "--csv", file, *options) == 0
    table = pd.read_parquet(tmp_path / "own.parquet")
    assert table.shape == (400, 28)
    assert "none sees the future" in capsys.readouterr().out


def test_the_list_has_the_formulas(monkeypatch, capsys) -> None:
    assert call(monkeypatch, "--list") == 0
    assert "return_250" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], ["nasdaq.parquet", "sp500.parquet"]),
        (["--combine"], ["sp500+nasdaq.parquet"]),
    ],
)
def test_only_combine_makes_one_table_of_several_assets(
    tmp_path: Path, monkeypatch, options: list[str], names: list[str]
) -> None:
    asked = ("--source", "arch", "--asset", "sp500,nasdaq", "--out", tmp_path)
    assert call(monkeypatch, *asked, *options) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == names


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--tier", "d"], "there is no tier 'd'"),
        (["--tier", "c", "--every", "week"], "too few for the windows of tier c"),
        (["--every", "fortnight"], "write day, week, or a number"),
        (["--volatility-index", "vix"], "there is no asset 'vix'"),
        (["--asset", "onw"], "did you mean 'own'"),
        (["--source", "arch"], "either --source or --csv"),
        (["--asset", "own,own"], "--asset names own twice"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    file: Path, tmp_path: Path, monkeypatch, capsys, options: list[str], sentence: str
) -> None:
    assert call(monkeypatch, "--csv", file, *options, "--out", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
