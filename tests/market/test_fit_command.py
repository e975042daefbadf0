import json
import os
from pathlib import Path
from threading import Thread

import pytest
from calling import exit_status

from llmlab.market.fits.public import POINTS
from llmlab.method.files import packaged

FILE = packaged(POINTS)
COLUMNS = ("--params", "params", "--tokens", "tokens", "--loss", "loss")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    return exit_status(monkeypatch, "fit", *arguments)


@pytest.fixture
def complaint(tmp_path: Path, monkeypatch, capsys):
    """Fits the given text with the given options; what is said about it."""

    def complain(text: str | bytes, *options: str) -> str:
        path = tmp_path / "runs.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        assert call(monkeypatch, path, *(options or COLUMNS)) == 1
        out, err = capsys.readouterr()
        assert not out
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        return err

    return complain


def rows(n: int, **fixed: str) -> str:
    lines = ["params,tokens,loss"]
    for i in range(n):
        row = {
            "params": f"{10 ** (4 + i % 3)}",
            "tokens": f"{10 ** (5 + i % 4)}",
            "loss": f"{3 - i / n}",
        }
        lines.append(",".join((row | fixed).values()))
    return "\n".join(lines) + "\n"


def test_json_has_every_parameter_with_its_interval(monkeypatch, capsys) -> None:
    options = (
        "--params",
        "params",
        "--tokens",
        "tokens",
        "--loss",
        "c4_val",
        "--json",
        "--resamples",
        "20",
    )
    assert call(monkeypatch, FILE, *options) == 0
    found = json.loads(capsys.readouterr().out)
    for name in ("E", "A", "B", "alpha", "beta"):
        assert set(found[name]) == {"value", "low", "high"}
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"]
    assert len(found["residuals"]) == found["runs"] == 104


def test_a_reader_gets_the_law_and_what_else_would_do(monkeypatch, capsys) -> None:
    options = ("--params", "params", "--loss", "c4_val", "--where", "train_set=rpj")
    assert call(monkeypatch, FILE, *options, "--resamples", "20") == 0
    out = capsys.readouterr().out
    assert "E + A / params^alpha, fitted to 35 runs" in out
    assert "nothing (flat)" in out


def test_a_byte_order_mark_semicolons_and_spaces_do_no_harm(tmp_path, monkeypatch, capsys) -> None:
    path = tmp_path / "runs.csv"
    text = rows(12).replace(",", " ; ").replace("params", "Model Size", 1)
    path.write_text(text, encoding="utf-8-sig")
    options = ("--params", "Model Size", "--loss", "loss")
    assert call(monkeypatch, path, *options, "--json", "--resamples", "20") == 0
    assert json.loads(capsys.readouterr().out)["runs"] == 12


def test_a_constant_loss_is_called_flat(tmp_path, monkeypatch, capsys) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(rows(24, loss="2.5"))
    assert call(monkeypatch, path, *COLUMNS, "--resamples", "20") == 0
    assert "A constant describes these runs as well" in capsys.readouterr().out


def test_mixed_evaluation_sets_are_warned_of(tmp_path, monkeypatch, capsys) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(rows(12) + "".join(f"10000,100000,{9 + i}\n" for i in range(3)))
    assert call(monkeypatch, path, *COLUMNS, "--resamples", "20") == 0
    assert "--where" in capsys.readouterr().out


def test_rows_that_stand_twice_are_warned_of(tmp_path, monkeypatch, capsys) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(rows(12) + rows(12).partition("\n")[2])
    assert call(monkeypatch, path, *COLUMNS, "--resamples", "20") == 0
    assert "12 of 24 rows repeat another one exactly" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("", "an empty cell"),
        ("0", "0 stands"),
        ("-2", "-2 stands"),
        ("nan", "nan stands"),
        ("inf", "inf stands"),
        ("7B", "a plain number such as 7e9"),
        ('"1,250"', "with a comma"),
        ("small", "is not a number"),
    ],
)
def test_a_cell_that_is_no_positive_number_is_named(complaint, cell: str, said: str) -> None:
    text = rows(9) + f"{cell},100000,2\n"
    err = complaint(text)
    assert said in err
    assert "line 11" in err


def test_three_points_are_too_few(complaint) -> None:
    assert "3 runs, too few for a law with 5 parameters" in complaint(rows(3))


def test_one_size_of_model_is_no_sweep(complaint) -> None:
    assert "has only one value" in complaint(rows(9, params="7000000"))


def test_a_missing_column_is_named_with_the_nearest(complaint) -> None:
    err = complaint(rows(9), "--params", "param", "--loss", "loss")
    assert "no column 'param' (did you mean 'params'?)" in err


def test_no_size_at_all_is_no_fit(complaint) -> None:
    assert "--params, --tokens" in complaint(rows(9), "--loss", "loss")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows"),
        ("params,tokens,loss\n", "has no rows"),
        ("params,tokens,loss\n1,2\n", "line 2: it has 2 cells, but the header in line 1 has 3"),
        ("params,params,loss\n1,2,3\n", "two columns named 'params'"),
        (b"\xff\xfe\x00p", "is not UTF-8 text"),
    ],
)
def test_what_is_no_table_is_one_sentence(complaint, text: str | bytes, said: str) -> None:
    assert said in complaint(text)


def test_one_column_is_no_size_and_loss(complaint) -> None:
    said = complaint(rows(9), "--params", "params", "--loss", "params")
    assert "--params, --loss name one column twice" in said


def test_a_condition_that_no_row_meets_names_what_there_is(complaint) -> None:
    assert "no row with params = 5" in complaint(rows(9), *COLUMNS, "--where", "params=5")


def test_a_condition_without_a_value_is_explained(complaint) -> None:
    assert "write COLUMN=VALUE" in complaint(rows(9), *COLUMNS, "--where", "params")


def test_a_table_may_be_a_pipe(tmp_path: Path, monkeypatch, capsys) -> None:
    table = tmp_path / "pipe"
    os.mkfifo(table)
    writer = Thread(target=table.write_text, args=(rows(12),))
    writer.start()
    assert call(monkeypatch, table, *COLUMNS, "--resamples", "20") == 0
    writer.join()


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path, monkeypatch, capsys) -> None:
    assert call(monkeypatch, tmp_path / "no.csv", *COLUMNS) == 1
    assert capsys.readouterr().err.startswith("error: there is no file")
