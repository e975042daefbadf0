"""Two processes on the CPU, which talk by gloo, against one process with the same batches."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path

import pytest
import torch
from calling import exit_status

from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.distributed import Workers, joined
from llmlab.gpt.pretraining import Pretraining, mean_loss
from llmlab.gpt.saved.checkpoints import load_checkpoint
from llmlab.method.environment import CACHE_DIR

SCRIPT = Path(__file__).with_name("two_processes.py")
TRAIN = (
    *("train", "--config", "micro", "--context", "8", "--batch-size", "4", "--steps", "3"),
    *("--precision", "float32", "--accumulate", "2"),
)
CPU = torch.device("cpu")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


def start(*arguments: object) -> subprocess.Popen:
    """Start two processes of this program with torchrun."""
    return subprocess.Popen(
        [sys.executable, *TORCHRUN, *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen) -> str:
    """What the processes printed, once they have ended well."""
    try:
        out, err = process.communicate(timeout=180)
    finally:
        process.terminate()  # torchrun then ends its own
    assert process.returncode == 0, err
    return out


@dataclass(frozen=True)
class Spread:
    """The folder of the runs of `two_processes.py` and of `train`, and what `train` printed."""

    folder: Path
    text: Path
    printed: str


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spread]:
    folder = tmp_path_factory.mktemp("spread")
    text = folder / "text.txt"
    text.write_text("".join(f"x{n % 9} = {n * n % 7}\n" for n in range(300)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_DIR, str(folder / "cache"))
        command = [*TRAIN, "--corpus", text, "--out", folder / "command"]
        processes = [start("-m", "llmlab", *command), start(SCRIPT, text, folder)]
        printed, _ = map(end, processes)
        yield Spread(folder, text, printed)


@pytest.fixture(scope="module")
def alone(spread: Spread) -> PretrainingSession:
    """The run of one process."""
    namespace = run_path(str(SCRIPT))
    session = namespace["new_session"](spread.text, spread.folder / "alone", 1)
    namespace["run"](session, Workers.alone())
    return session


def assert_close(theirs: dict[str, list], ours: dict[str, list]) -> None:
    """Both curves have the same steps, and losses that differ by rounding alone."""
    for name, curve in ours.items():
        steps, losses = zip(*curve, strict=True)
        assert tuple(step for step, _ in theirs[name]) == steps
        assert [loss for _, loss in theirs[name]] == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("kind", ["whole", "sharded"])
def test_two_processes_learn_what_one_does(
    kind: str, accumulate: int, spread: Spread, alone: PretrainingSession, curves
) -> None:
    assert_close(curves(spread.folder / f"{kind}-{accumulate}"), curves(alone.folder))


def test_a_sharded_run_goes_on_bit_by_bit(
    spread: Spread, alone: PretrainingSession, curves
) -> None:
    assert curves(spread.folder / "resumed") == curves(spread.folder / "sharded-1")


def test_all_processes_follow_a_request_after_the_same_step(spread: Spread) -> None:
    folder = spread.folder / "steered"
    first, second = (json.loads((folder / f"rates-{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert 1 < len(first) < 4000
    assert first[1] / first[0] == pytest.approx(2 * 50)  # the second step of the warm-up
    lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    asked = [line["action"] for line in lines if line["event"] == "steered"]
    assert asked == ["pause", "rate", "resume", "stop"]
    assert load_checkpoint(folder).step == len(first)
    kept = load_checkpoint(folder).run["steered"]
    assert [one["action"] for one in kept] == asked


def test_each_process_drops_other_activations(spread: Spread) -> None:
    first, second = ((spread.folder / f"drawn-{rank}.txt").read_text() for rank in (0, 1))
    assert first != second


def test_each_process_goes_on_with_its_own_dropout(spread: Spread, curves) -> None:
    assert curves(spread.folder / "dropout-resumed") == curves(spread.folder / "dropout")


def test_the_first_process_draws_what_it_would_draw_alone() -> None:
    drawn = []
    for workers in (Workers.alone(), Workers(0, 2, CPU), Workers(1, 2, CPU), Workers(2, 3, CPU)):
        torch.manual_seed(3)
        workers.seed_dropout(3)
        drawn.append(torch.rand(1).item())
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3


@pytest.mark.parametrize("kind", ["whole-1", "sharded-1"])
def test_one_process_loads_what_two_saved(
    kind: str, spread: Spread, alone: PretrainingSession, curves
) -> None:
    model = load_checkpoint(spread.folder / kind).model()
    _, validation = alone.encoded.tokens.split(alone.recipe.validation_share)
    loss = mean_loss(model, validation, 8, torch.device("cpu"), n_tokens=64)
    assert loss == pytest.approx(curves(spread.folder / kind)["validation"][-1][1], rel=1e-5)


def test_one_process_goes_on_where_two_stopped(
    spread: Spread, alone: PretrainingSession, curves
) -> None:
    checkpoint = load_checkpoint(spread.folder / "sharded-1" / "checkpoints" / "step-00000002")
    run = Pretraining(alone.recipe, alone.encoded.tokens, resumed=checkpoint)
    losses = [event.loss for event in run.events()]
    points = curves(spread.folder / "sharded-1")["point"]
    assert losses[1:3] == pytest.approx([loss for _, loss in points[2:]], rel=1e-5)


def test_the_train_command_under_torchrun(
    spread: Spread, tmp_path: Path, monkeypatch, capsys, curves
) -> None:
    arguments = [*TRAIN, "--corpus", str(spread.text), "--out", str(tmp_path / "command")]
    assert exit_status(monkeypatch, *arguments) == 0
    said_once = capsys.readouterr().out.replace(str(tmp_path), str(spread.folder))
    assert spread.printed == said_once
    assert_close(curves(spread.folder / "command"), curves(tmp_path / "command"))


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined() as workers:
        assert (workers.rank, workers.world, workers.is_first) == (0, 1, True)
