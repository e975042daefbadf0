import os
from pathlib import Path

import pytest

from llmlab.market.bars.csv_file import read_csv
from llmlab.method.errors import LabError

HEADER = "Date,Open,High,Low,Close,Volume"
DAYS = [f"2001-01-{day:02d},10,11,9,10.5,1000" for day in range(1, 6)]


@pytest.fixture
def written(tmp_path: Path):
    def write(*lines: str) -> Path:
        path = tmp_path / "own.csv"
        path.write_text("\n".join(lines), encoding="utf-8-sig")
        return path

    return write


def test_bars_are_read_by_name_of_column(written) -> None:
    bars = read_csv(written(HEADER, *DAYS))
    assert list(bars.frame.columns) == ["open", "high", "low", "close", "volume"]
    assert bars.frame["close"].tolist() == [10.5] * 5
    assert str(bars.frame.index[-1].date()) == "2001-01-05"


def test_a_pipe_is_read_like_a_file() -> None:
    reading, writing = os.pipe()
    os.write(writing, "\n".join([HEADER, *DAYS]).encode())
    os.close(writing)
    assert len(read_csv(Path(f"/dev/fd/{reading}")).frame) == 5
    os.close(reading)


def test_a_column_of_times_beside_that_of_dates_is_not_taken_for_it(written) -> None:
    days = [day.replace(",", ",160000,", 1) for day in DAYS]
    bars = read_csv(written(HEADER.replace(",", ",Time,", 1), *days))
    assert str(bars.frame.index[-1].date()) == "2001-01-05"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([HEADER.replace(",Close", ""), "2001-01-01,1,1,1,1"], "no column 'close'"),
        ([HEADER, DAYS[1], DAYS[0], DAYS[2]], "not in order of its dates at 2001-01-01"),
        ([HEADER, DAYS[0], DAYS[0]], "two rows for 2001-01-01"),
        ([HEADER, DAYS[0].replace(",", " 16:00:00+01:00,", 1)], "has a time zone"),
        ([HEADER, "2001-01-01T00:00:00Z,1,1,1,1,1"], "has a time zone"),
        ([HEADER, DAYS[0].replace("10.5", '"10,5"')], "use a point for decimals"),
        ([HEADER, DAYS[0].replace("1000", '"1,000"')], "and no commas"),
        ([f"{HEADER},close", f"{DAYS[0]},12"], "two columns named 'close'"),
        ([HEADER, DAYS[0].replace("10.5", "10,5")], "line 2: .* header in line 1 has 6; if commas"),
        ([HEADER, "yesterday,1,1,1,1,1"], "'yesterday' is not a date"),
        ([HEADER, ",1,1,1,1,1"], "line 2: '' is not a date"),
        ([HEADER, "NaT,1,1,1,1,1"], "'NaT' is not a date"),
        ([HEADER, "2001-01-01,inf,inf,1,1,1"], "'inf' in the column 'open' is not a number"),
        ([HEADER + ",Adj Close", "2001-01-01,1,1,1,1,1,0"], "'0' .* 'adj_close' is not a price"),
        ([HEADER, '2001-01-01,"1' + ",1" * 70_000], "line 2: not valid CSV .* close a quote"),
        ([HEADER, "2001-01-01,1,1,2,1,1"], "a high below its low on 2001-01-01"),
        ([HEADER, "2001-01-01,1,1,1,0,1"], "zero or negative price on 2001-01-01"),
        ([HEADER], "has no bars"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(written, lines: list[str], said: str) -> None:
    with pytest.raises(LabError, match=said):
        read_csv(written(*lines))


def test_an_index_has_no_volume(written) -> None:
    closes = [day.rpartition(",")[0] for day in DAYS]
    bars = read_csv(written(HEADER.removesuffix(",Volume"), *closes))
    assert bars.frame["close"].tolist() == [10.5] * 5
    assert bars.frame["volume"].isna().all()


def test_a_file_with_the_newest_day_first_is_turned_round(written) -> None:
    newest = [f"2001-01-{day:02d},10,11,9,{9 + day / 10},1000" for day in range(5, 0, -1)]
    bars = read_csv(written(HEADER, *newest))
    assert bars.frame.index.is_monotonic_increasing
    assert bars.frame["close"].tolist() == [9.1, 9.2, 9.3, 9.4, 9.5]


@pytest.mark.parametrize("before", ["sep=;", "# of a program", "https://example.org"])
def test_semicolons_decimal_commas_and_a_title_do_no_harm(written, before: str) -> None:
    days = [day.replace(",", ";").replace(".", ",") for day in DAYS]
    bars = read_csv(written(before, HEADER.replace(",", ";"), *days))
    assert bars.frame["close"].tolist() == [10.5] * 5


HALVED = [*DAYS, "2001-01-08,5.25,5.5,5,5.2,2000"]


def test_a_split_in_the_middle_is_refused_with_its_date(written) -> None:
    with pytest.raises(LabError, match="seems to have split 2 for 1 on 2001-01-08"):
        read_csv(written(HEADER, *HALVED))


def test_a_split_is_adjusted_if_asked(written) -> None:
    frame = read_csv(written(HEADER, *HALVED), jumps="adjust").frame
    assert frame["close"].tolist() == [5.25] * 5 + [5.2]
    assert frame["volume"].tolist() == [2000] * 6


def test_a_fall_is_kept_if_it_is_real(written) -> None:
    frame = read_csv(written(HEADER, *HALVED), jumps="keep").frame
    assert frame["close"].tolist() == [10.5] * 5 + [5.2]


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="there is no file"):
        read_csv(tmp_path / "no.csv")
