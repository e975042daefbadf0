import pytest

from llmlab.finetune.command.console import show
from llmlab.finetune.command.events import Diverged, Interrupted, Step
from llmlab.gpt.training import Point
from llmlab.method.errors import LabError


@pytest.mark.parametrize("method", ["lora", "qlora", "full"])
def test_a_run_as_it_is_shown_fits_a_terminal(method: str, brief_session, capsys) -> None:
    session = brief_session(method=method)
    show(session.events(), session)
    out, _ = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80
    for part in ("Memory", "Median of the steps", "Exact answers", "math (known before)"):
        assert part in out
    assert ("The 16 levels" in out) == (method == "qlora")
    assert ("llmlab merge" in out) == (method != "full")


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
def test_a_run_that_ends_early(end: object, sentence: str, brief_session) -> None:
    session = brief_session()
    prepared = next(session.events())
    with pytest.raises(LabError) as raised:
        show([prepared, Step(Point(0, 4, 1.0, 1.0, 1e-3, seconds=1.0), None), end], session)
    assert sentence in str(raised.value)
