import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.runs.control import CONTROL, Helm, Request, Steered, ask
from llmlab.runs.folder import RunFolder

IDS = (f"{number:016x}" for number in count(1))


def request(action: str, rate: float | None = None) -> Request:
    return Request(id=next(IDS), action=action, rate=rate)


@pytest.fixture
def begun(folder: RunFolder) -> RunFolder:
    folder.log.start({"seed": 0})
    return folder


def never() -> bool:
    return False


def test_a_helm_hands_on_each_request_once(begun: RunFolder) -> None:
    helm, asked = Helm(begun), request("rate", 1e-3)
    ask(begun.path, asked)
    assert [list(helm.requests(never)) for _ in range(2)] == [[asked], []]


def test_requests_from_before_the_start_were_meant_for_another_process(begun: RunFolder) -> None:
    ask(begun.path, request("stop"))
    assert list(Helm(begun).requests(never)) == []


def test_a_paused_run_waits_until_it_may_go_on(begun: RunFolder) -> None:
    helm, pause, resume = Helm(begun), request("pause"), request("resume")
    ask(begun.path, pause)
    seen = helm.requests(never)
    assert next(seen) == pause
    ask(begun.path, resume)
    assert list(seen) == [resume]


def test_an_interrupted_run_does_not_stay_paused(begun: RunFolder) -> None:
    helm, pause = Helm(begun), request("pause")
    ask(begun.path, pause)
    assert list(helm.requests(lambda: True)) == [pause]


def test_what_comes_after_a_stop_is_not_followed(begun: RunFolder) -> None:
    helm, stop = Helm(begun), request("stop")
    for asked in (stop, request("pause")):
        ask(begun.path, asked)
    assert list(helm.requests(never)) == [stop]
    assert helm.is_stopped


def test_a_resumed_run_remembers_how_it_was_steered(begun: RunFolder) -> None:
    helm, asked = Helm(begun), request("rate", 0.02)
    begun.log.append("steered", vars(helm.followed(asked, step=7)))
    begun.log.cut(7)
    again = Helm(begun)
    assert again.steered == [Steered(7, asked.id, "rate", 0.02)]
    assert again.rate == 0.02
    assert again.record == {"steered": [vars(again.steered[0])]}


def test_a_run_that_nobody_steered_has_no_record_of_it(begun: RunFolder) -> None:
    assert Helm(begun).record == {}


def test_half_a_line_is_read_once_it_is_whole(begun: RunFolder) -> None:
    helm, asked = Helm(begun), request("pause")
    line = asked.model_dump_json() + "\n"
    with (begun.path / CONTROL).open("a") as file:
        file.write(line[:20])
        file.flush()
        assert list(helm.requests(never)) == []
        file.write(line[20:])
    assert list(helm.requests(lambda: True)) == [asked]


@settings(max_examples=25)
@given(st.binary(max_size=80))
def test_lines_that_are_no_request_are_passed_over(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        helm, asked = Helm(folder), request("checkpoint")
        (folder.path / CONTROL).write_bytes(noise.replace(b"\n", b" ") + b"\n")
        ask(folder.path, asked)
        assert list(helm.requests(never)) == [asked]


def test_requests_of_several_writers_stay_whole(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    helm = Helm(folder)

    def write(writer: int) -> None:
        for number in range(50):
            ask(tmp_path, Request(id=f"{writer * 100 + number:016x}", action="checkpoint"))

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write, range(4)))
    assert len({request.id for request in helm.requests(lambda: True)}) == 200
