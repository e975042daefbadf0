import json
from pathlib import Path

import pytest
from calling import exit_status


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    return exit_status(monkeypatch, "market", "data", *arguments)


def test_a_source_leaves_a_manifest_of_each_asset(tmp_path: Path, monkeypatch, capsys) -> None:
    assert call(monkeypatch, "--source", "pmdarima", "--out", tmp_path, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "msft.json").read_text(encoding="utf-8"))
    assert found["rows"] == 7983


def test_the_list_names_the_sources(monkeypatch, capsys) -> None:
    assert call(monkeypatch, "--list") == 0
    assert "skfolio" in capsys.readouterr().out


def test_the_list_is_json_if_asked_for(monkeypatch, capsys) -> None:
    assert call(monkeypatch, "--list", "--json") == 0
    first, *_ = json.loads(capsys.readouterr().out)
    assert first["source"] == "arch"
    assert first["content"].startswith("S&P 500")


def test_a_bad_file_leaves_nothing_behind(tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "x.csv").write_text("Date,Close\n2001-01-01,3\n", encoding="utf-8")
    assert call(monkeypatch, "--csv", tmp_path / "x.csv", "--out", tmp_path / "out") == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_nothing_to_read_is_one_sentence(monkeypatch, capsys) -> None:
    assert call(monkeypatch) == 1
    assert "give --source, --csv or --url" in capsys.readouterr().err


def test_a_symbol_never_leads_out_of_the_folder(tmp_path: Path, monkeypatch, capsys) -> None:
    asked = ("--url", "http://127.0.0.1:9/{symbol}", "--symbols", "A,../B")
    assert call(monkeypatch, *asked, "--out", tmp_path / "out") == 1
    assert "--symbols has ../B, which cannot name a file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_brackets_in_the_name_of_a_file_are_printed_as_they_are(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    days = [f"2001-01-{day:02d},10,11,9,10.5,1000" for day in range(1, 6)]
    file = tmp_path / "[red].csv"
    file.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *days]), encoding="utf-8")
    assert call(monkeypatch, "--csv", file, "--out", tmp_path / "out") == 0
    assert capsys.readouterr().out.count("[red]") == 1
