from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from llmlab.finetune.command.console import (
    Throughput,
    describe,
    describe_method,
    show,
)
from llmlab.finetune.command.events import Diverged, Interrupted, Step
from llmlab.finetune.command.opening import open_session
from llmlab.finetune.command.options import FinetuneOptions
from llmlab.finetune.command.session import FinetuneSession
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.methods import Full
from llmlab.finetune.model.qlora import FourBit, QloraSpec
from llmlab.gpt.training import Point
from llmlab.method.errors import LabError


@pytest.fixture
def opened(
    made: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    held: ExitStack,
) -> Callable[..., FinetuneSession]:
    monkeypatch.chdir(tmp_path)

    def make(**options: object) -> FinetuneSession:
        brief = FinetuneOptions(str(made("skilled")), steps=4, batch_size=4, test_items=10)
        folder = Path("runs/micro-subtraction-qlora")
        session = held.enter_context(
            open_session(replace(brief, **options), folder, torch.device("cpu"))
        )
        session = replace(session, base=replace(session.base, name="micro"))
        return replace(session, config=replace(session.config, suite_items=10))

    return make


def test_methods_in_words() -> None:
    lora = LoraSpec(8, 16, target_modules=("qkv", "up"))
    assert describe_method(Full()) == "full fine-tuning: every weight is trained"
    assert describe_method(lora) == "LoRA, rank 8, alpha 16 (alpha/r), qkv, up"
    twice = "QLoRA, rank 8, alpha 16 (alpha/r), qkv, up; NF4, quantised twice"
    assert describe_method(QloraSpec(lora)) == twice
    assert describe_method(QloraSpec(lora, FourBit(double_quantisation=False))).endswith("NF4")


def test_what_is_about_to_happen(opened) -> None:
    assert describe(opened(replay=0.25)).splitlines() == [
        "base    micro: 29,024 parameters, context 32",
        "data    skills:subtraction: 4,050 examples, 10 others to test on",
        "method  LoRA, rank 8, alpha 16 (alpha/r), all-linear",
        "train   4 steps of 4 rows, 1 of them replayed (320 tokens)",
        "        learning rate 0.005, float32, seed 0, on cpu",
    ]


def test_packed_rows_and_bad_lines_are_counted(opened) -> None:
    path = Path("data.jsonl")
    path.write_text('{"prompt": "1+1=", "response": "2"}\n' * 9 + "oops\n")
    session = opened(data=str(path), pack=True, skip_bad=True)
    line = describe(session).splitlines()[1]
    assert line.endswith("9 examples packed in 2 rows, 0 others to test on, 1 bad line left out")


@pytest.mark.parametrize("method", ["lora", "qlora", "full"])
def test_a_run_as_it_is_shown_fits_a_terminal(method: str, opened, capsys) -> None:
    session = opened(method=method)
    show(session.events(), session)
    out, _ = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80
    for part in ("Memory", "Median of the steps", "Exact answers", "math (known before)"):
        assert part in out
    assert ("The 16 levels" in out) == (method == "qlora")
    assert ("llmlab merge" in out) == (method != "full")


def test_forgetting_much_without_replay_brings_a_hint(opened, capsys) -> None:
    session = opened()
    *events, finished = session.events()
    forgot = replace(finished, before=replace(finished.before, suites={"math": 1.0}))
    forgot = replace(forgot, after=replace(finished.after, suites={"math": 0.5}))
    show([*events, forgot], session)
    said = "Forgetting: 50.0 points, mean of the four"
    assert f"{said}; --replay 0.2 rehearses what it knew." in capsys.readouterr().out
    replayed = replace(session, config=replace(session.config, n_replayed=1))
    show([*events, forgot], replayed)
    assert f"{said}.\n" in capsys.readouterr().out


@pytest.mark.parametrize(("known", "hinted"), [(0.1, True), (0.9, False)])
def test_a_base_that_knew_little_brings_a_hint(known: float, hinted: bool, opened, capsys) -> None:
    session = opened()
    *events, finished = session.events()
    suites = dict.fromkeys(finished.before.suites, known)
    show([*events, replace(finished, before=replace(finished.before, suites=suites))], session)
    assert ("llmlab run base_model --scale laptop" in capsys.readouterr().out) == hinted


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        (Interrupted(2), "interrupted after step 2 of 4; what was learned until then is kept in "),
        (
            Diverged(3, 1e-3, float("nan"), float("inf")),
            "training stopped at step 3, where the loss is nan and the gradient norm inf at the "
            "learning rate 0.001 (the last step with a finite loss was 2; nothing is kept): start",
        ),
        (Diverged(0, 1e-3, float("nan"), 1.0), "(it is the first; nothing is kept): start again "),
    ],
)
def test_a_run_that_ends_early(end: object, sentence: str, opened) -> None:
    session = opened()
    prepared = next(session.events())
    with pytest.raises(LabError) as raised:
        show([prepared, Step(Point(0, 4, 1.0, 1.0, 1e-3, seconds=1.0), None), end], session)
    assert sentence in str(raised.value)


def test_speed_is_that_of_the_last_steps() -> None:
    speed = Throughput()
    for seconds in [1.0] * 5 + [0.5] * 200:
        speed.see(Point(0, 100, 1.0, 1.0, 1e-3, seconds=seconds))
    assert str(speed) == "200 tok/s"
