import hashlib
import json
import math
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partialmethod
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import nn

from llmlab.gpt.command.run_events import Diverged, Finished, Interrupted, Saved
from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.distributed import Workers
from llmlab.gpt.inside.run_views import look_into
from llmlab.gpt.model import GPT
from llmlab.gpt.pretraining import mean_loss
from llmlab.gpt.saved.checkpoints import checkpoints, load_checkpoint
from llmlab.gpt.saved.saved_runs import open_model
from llmlab.gpt.text.encoded_corpus import each_character
from llmlab.gpt.training import Point, Trainer
from llmlab.method.errors import LabError


def events(session: PretrainingSession, *, resume: bool = False) -> Iterator[object]:
    return session.events(Workers.alone(), resume=resume)


def names(session: PretrainingSession) -> list[str]:
    return [path.name for path in checkpoints(session.folder)]


def kinds(folder: Path) -> list[str]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines]


def test_a_run_leaves_its_tokenizer_a_log_and_its_last_state(
    session: PretrainingSession, curves
) -> None:
    seen = list(events(session))
    assert seen[-1] == Saved(12, str(session.folder / "checkpoints" / "step-00000012"))
    assert names(session) == ["step-00000012"]
    assert [step for step, _ in curves(session.folder)["point"]] == list(range(12))
    assert [step for step, _ in curves(session.folder)["validation"]] == [0, 4, 8, 12]
    model, tokenizer = open_model(session.folder)
    assert model.config.vocab_size == tokenizer.vocab_size


@pytest.mark.parametrize("n_events", [8, 11, 14])  # before, at and after a validation's step
def test_a_run_that_was_stopped_goes_on_bit_by_bit(
    n_events: int, session: PretrainingSession, changed: Callable[..., PretrainingSession], curves
) -> None:
    list(events(session))
    stopped = replace(changed("stopped"), checkpoint_every=2)
    list(islice(events(stopped), n_events))
    with (stopped.folder / "log.jsonl").open("a") as log:
        log.write('{"event": "point", "st')  # the line that a kill cut short
    list(events(stopped, resume=True))
    assert curves(stopped.folder) == curves(session.folder)


def test_a_finished_run_has_nothing_left_to_do(session: PretrainingSession) -> None:
    list(events(session))
    log, tokenizer = (session.folder / name for name in ("log.jsonl", "tokenizer.json"))
    before = log.read_bytes(), tokenizer.read_bytes()
    tokenizer.unlink()  # what a folder lost comes back
    seen = list(events(session, resume=True))
    assert seen == [Finished(12)]
    assert (log.read_bytes(), tokenizer.read_bytes()) == before


def test_the_translated_model_learns_the_same(
    session: PretrainingSession, curves, monkeypatch
) -> None:
    traced = partialmethod(nn.Module.compile, backend="eager")  # without the minute of a compiler
    monkeypatch.setattr(GPT, "compile", traced)
    shape = replace(session.recipe.shape, dropout=0.0, n_layers=1)
    train = replace(session.recipe.train, steps=2)
    for name, compiled in {"plain": False, "compiled": True}.items():
        recipe = replace(session.recipe, shape=shape, train=train, compiled=compiled)
        list(events(replace(session, folder=session.folder / name, recipe=recipe)))
    plain, compiled = (curves(session.folder / name) for name in ("plain", "compiled"))
    for name, curve in plain.items():
        losses = [loss for _, loss in compiled[name]]
        assert losses == pytest.approx([loss for _, loss in curve], rel=1e-4)


def test_what_a_kill_left_half_saved_is_removed(session: PretrainingSession) -> None:
    saving = replace(session, checkpoint_every=2)
    list(islice(events(saving), 6))
    (session.folder / "checkpoints" / ".step-00000004.123").mkdir()
    list(events(saving, resume=True))
    assert list((session.folder / "checkpoints").glob(".*")) == []


@pytest.mark.parametrize("largest", ["model.safetensors", "training.pt"])
def test_a_full_disk_leaves_the_checkpoint_before(
    largest: str, session: PretrainingSession, largest_file
) -> None:
    running = events(replace(session, checkpoint_every=2))
    saved = next(event for event in running if isinstance(event, Saved))
    n_fitting = (Path(saved.folder) / largest).stat().st_size - 100
    with (
        largest_file(n_fitting),
        pytest.raises(LabError, match=r"^cannot write step-00000004 into .*; free some space"),
    ):
        list(running)
    assert [path.name for path in Path(saved.folder).parent.iterdir()] == ["step-00000002"]
    assert load_checkpoint(session.folder).step == 2


def test_a_disk_full_at_the_first_checkpoint_leaves_nothing_to_resume(
    session: PretrainingSession, largest_file
) -> None:
    with (
        largest_file(8000),
        pytest.raises(LabError, match=r"then remove .*run and start again: no checkpoint had been"),
    ):
        list(events(session))


@pytest.mark.parametrize("saves", [True, False])
def test_a_log_that_cannot_grow_says_how_its_run_goes_on(
    saves: bool, session: PretrainingSession, largest_file
) -> None:
    running = events(replace(session, checkpoint_every=2))
    next(event for event in running if isinstance(event, Saved if saves else Point))
    n_bytes = (session.folder / "log.jsonl").stat().st_size + 10
    way_on = "continue with --resume from step-00000002" if saves else "remove .* and start again"
    with largest_file(n_bytes), pytest.raises(LabError, match=f"log.jsonl: .*; free .*{way_on}"):
        list(running)
    if saves:
        assert list(events(session, resume=True))[-1].step == 12


def _odd_moment(state: dict) -> None:
    state["optimizer"]["state"][0]["exp_avg"] = torch.zeros(3)


def _no_moment(state: dict) -> None:
    del state["optimizer"]["state"][1]["exp_avg_sq"]


def _odd_setting(state: dict) -> None:
    state["optimizer"]["param_groups"][0]["betas"] = "x"


def _no_group(state: dict) -> None:
    del state["optimizer"]["param_groups"][0]


def _odd_random(state: dict) -> None:
    state["random"]["cpu"] = torch.zeros(3)


@pytest.mark.parametrize("spoil", [_odd_moment, _no_moment, _odd_setting, _no_group, _odd_random])
def test_a_state_of_another_shape_is_refused_behind_its_digest(
    spoil: Callable[[dict], None], session: PretrainingSession
) -> None:
    running = events(replace(session, checkpoint_every=2))
    saved = Path(next(event for event in running if isinstance(event, Saved)).folder)
    running.close()
    state = torch.load(saved / "training.pt", weights_only=True)
    spoil(state)
    torch.save(state, saved / "training.pt")
    about = json.loads((saved / "checkpoint.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((saved / "training.pt").read_bytes()).hexdigest()
    about["sha256"]["training.pt"] = digest
    (saved / "checkpoint.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(
        LabError, match=r"training\.pt does not fit the run \(.*continue from another"
    ):
        list(events(session, resume=True))


def test_the_tokenizer_of_another_run_is_refused(
    session: PretrainingSession, changed: Callable[..., PretrainingSession]
) -> None:
    list(events(session))
    letters = each_character(session.encoded.corpus)
    letters.save(session.folder / "tokenizer.json")
    for opened in (open_model, lambda folder: look_into(folder, [])):
        with pytest.raises(LabError, match=r"tokenizer.json is not the tokenizer that the model"):
            opened(session.folder)


@pytest.mark.parametrize("context", [1, 2, 3])
def test_a_short_context_is_looked_into(context: int, session: PretrainingSession) -> None:
    shape = replace(session.recipe.shape, context=context)
    short = replace(session, recipe=replace(session.recipe, shape=shape))
    list(events(short))
    assert look_into(short.folder, [])["attention"]["scores"] == {}


def test_the_newest_checkpoints_stay(session: PretrainingSession) -> None:
    list(events(replace(session, checkpoint_every=2, keep=2)))
    assert names(session) == ["step-00000010", "step-00000012"]


def loss_of(session: PretrainingSession) -> float:
    """The validation loss of what the run has saved last."""
    _, validation = session.encoded.tokens.split(session.recipe.validation_share)
    model, _ = open_model(session.folder)
    return mean_loss(model, validation, model.config.context, torch.device("cpu"))


def test_divergence_leaves_the_last_state_that_has_a_loss(
    changed: Callable[..., PretrainingSession],
) -> None:
    session = replace(changed("run", learning_rate=1e20), checkpoint_every=1)
    *_, last = events(session)
    assert isinstance(last, Diverged)
    assert last.step > 0
    for part in (
        f"stopped at step {last.step}",
        "(no step was good)",
        "gradient norm",
        "learning rate 1e+20",
    ):
        assert part in last.sentence
    assert names(session) == ["step-00000000"]
    assert math.isfinite(loss_of(session))
    assert kinds(session.folder)[-1] == "diverged"


@pytest.fixture
def spoiled_by_step_7(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights that the seventh step leaves give no loss; those after four were validated."""
    points = Trainer.points

    def spoiled(trainer: Trainer, batches: Iterator[object]) -> Iterator[object]:
        for point in points(trainer, batches):
            if trainer.step == 7:
                trainer.model.head.weight.data.fill_(1e30)
            yield point

    monkeypatch.setattr(Trainer, "points", spoiled)


@pytest.mark.usefixtures("spoiled_by_step_7")
def test_a_good_checkpoint_survives_a_divergence(session: PretrainingSession) -> None:
    *_, last = events(replace(session, checkpoint_every=2))
    assert (last.step, last.last_good_step) == (7, 5)
    assert names(session) == ["step-00000002", "step-00000004", "step-00000006"]
    assert math.isfinite(loss_of(session))


@pytest.mark.usefixtures("spoiled_by_step_7")
def test_without_a_checkpoint_the_last_validated_state_is_kept(session: PretrainingSession) -> None:
    *_, last = events(session)
    assert last.last_good_step == 3
    assert names(session) == ["step-00000004"]


def test_ctrl_c_ends_a_run_between_two_steps_and_keeps_it(
    session: PretrainingSession, curves
) -> None:
    list(events(session))
    stopped = replace(session, folder=session.folder.with_name("stopped"))
    running = events(stopped)
    seen = [next(event for event in running if isinstance(event, Point) and event.step == 5)]
    signal.raise_signal(signal.SIGINT)
    seen += running
    assert seen[-2:] == [
        Saved(6, str(stopped.folder / "checkpoints/step-00000006")),
        Interrupted(6),
    ]
    list(events(stopped, resume=True))
    assert curves(stopped.folder) == curves(session.folder)


def test_a_poisoned_weight_stops_the_run_at_its_last_good_step(
    session: PretrainingSession, monkeypatch
) -> None:
    """The step with the poisoned batch is not taken, and what is on the disk loads."""
    step, forward = 5, GPT.forward

    def poisoned(model: GPT, tokens_BT: torch.Tensor, cache: object = None) -> torch.Tensor:
        poisoned.calls += model.training
        return forward(model, tokens_BT, cache) * (float("nan") if poisoned.calls > step else 1)

    poisoned.calls = 0
    monkeypatch.setattr(GPT, "forward", poisoned)
    last = list(events(replace(session, checkpoint_every=2, keep=1)))[-1]
    assert (last.step, last.last_good_step) == (5, 3)
    assert names(session) == ["step-00000004"]
    assert load_checkpoint(session.folder).step == 4


def test_a_folder_with_a_run_is_not_written_over(session: PretrainingSession) -> None:
    list(islice(events(session), 3))
    log = (session.folder / "log.jsonl").read_bytes()
    with pytest.raises(LabError, match=r"stopped before its first checkpoint: remove it, or name"):
        next(events(session))
    list(islice(events(replace(session, folder=session.folder / "b", checkpoint_every=1)), 5))
    with pytest.raises(LabError, match=r"holds a run already: continue it with --resume"):
        next(events(replace(session, folder=session.folder / "b")))
    assert (session.folder / "log.jsonl").read_bytes() == log


def test_there_must_be_something_to_resume(session: PretrainingSession) -> None:
    with pytest.raises(LabError, match="holds no checkpoint"):
        next(events(session, resume=True))
    assert not session.folder.exists()


def test_another_run_is_not_resumed_and_what_differs_is_named(
    session: PretrainingSession, changed: Callable[..., PretrainingSession]
) -> None:
    list(events(session))
    other = changed("run", learning_rate=0.5, betas=(0.9, 0.99))
    with pytest.raises(LabError) as refused:
        next(events(other, resume=True))
    assert "train.learning_rate 0.01 -> 0.5; train.betas [0.9, 0.95] -> [0.9, 0.99])" in str(
        refused.value
    )
    longer = replace(session.recipe, shape=replace(session.recipe.shape, context=16))
    with pytest.raises(LabError, match=r"\(shape.context 8 -> 16\)"):
        next(events(replace(session, recipe=longer), resume=True))


def test_a_text_too_short_to_validate_on_leaves_no_folder(session: PretrainingSession) -> None:
    recipe = replace(session.recipe, validation_share=0.001)
    with pytest.raises(LabError, match=r"validation part of program.txt has \d tokens"):
        next(events(replace(session, recipe=recipe)))
    assert not session.folder.exists()


def test_a_damaged_checkpoint_says_from_which_one_to_go_on(session: PretrainingSession) -> None:
    list(events(replace(session, checkpoint_every=4)))
    newest = session.folder / "checkpoints" / "step-00000012"
    (newest / "model.safetensors").write_bytes(b"")
    with pytest.raises(LabError, match=rf"; remove {newest}, and --resume .* step-00000008\.$"):
        next(events(session, resume=True))
    shutil.rmtree(newest)
    assert [type(event) for event in events(session, resume=True)][-1] is Saved


def test_the_browser_leaves_out_a_damaged_checkpoint(session: PretrainingSession) -> None:
    list(events(replace(session, checkpoint_every=4)))
    (session.folder / "checkpoints" / "step-00000004" / "model.safetensors").unlink()
    steps = look_into(session.folder, [])["checkpoints"]["steps"]
    assert [look["step"] for look in steps] == [8, 12]


def test_a_model_cannot_be_compiled_without_a_compiler(
    session: PretrainingSession, monkeypatch
) -> None:
    def without(graph: object, inputs: object) -> None:
        raise RuntimeError("no g++")

    monkeypatch.setattr(GPT, "compile", partialmethod(nn.Module.compile, backend=without))
    compiled = replace(session, recipe=replace(session.recipe, compiled=True))
    with pytest.raises(LabError, match=r"compiled here .*no g\+\+.*or leave out --compile"):
        list(events(compiled))


@pytest.mark.parametrize("inside", ["", "checkpoints", "checkpoints/step-00000008"])
def test_a_run_is_opened_by_any_of_its_folders(
    inside: str, session: PretrainingSession, monkeypatch
) -> None:
    list(events(replace(session, checkpoint_every=4)))
    model, _ = open_model(session.folder / inside)
    monkeypatch.chdir(session.folder / inside)
    same, _ = open_model(Path())
    assert torch.equal(model.head.weight, same.head.weight)
    views = look_into(Path(), ["x + 1"])
    assert set(views) >= {"attention", "logit lens", "activations"}
    assert ("checkpoints" in views) == (not inside.endswith("8"))


def test_the_browser_shows_every_checkpoint_and_the_curves(session: PretrainingSession) -> None:
    list(events(replace(session, checkpoint_every=4)))
    with (session.folder / "log.jsonl").open("a") as log:
        log.write('{"event": "po')
    browser = look_into(session.folder, [])["checkpoints"]
    assert [look["step"] for look in browser["steps"]] == [4, 8, 12]
    assert [step for step, _ in browser["curve"]["validation"]] == [0, 4, 8, 12]
