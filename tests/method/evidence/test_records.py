from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from llmlab.method.errors import LabError
from llmlab.method.evidence.records import read_records, write_records


@dataclass(frozen=True)
class Look:
    name: str
    effect: float | None


LOOKS = [Look("one", 0.5), Look("two, with a comma", None)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "looks.csv"


def test_what_is_written_is_read(path: Path) -> None:
    write_records(path, Look, map(asdict, LOOKS))
    assert read_records(path, Look) == LOOKS


def test_no_file_has_no_records(path: Path) -> None:
    assert read_records(path, Look) == []


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("name,effect\none,half\n", "0.effect: "),
        ("name\none\n", "'0.effect' is missing\\): "),
        ("name,effect\n,1\n", "0.name: "),
    ],
)
def test_a_damaged_line_is_named_with_its_column(path: Path, text: str, cause: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match=rf"looks.csv is damaged \({cause}.*restore it from git"):
        read_records(path, Look)
