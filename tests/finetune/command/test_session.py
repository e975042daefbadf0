import errno
import json
import os
import re
import resource
import signal
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch._dynamo  # makes a cache folder when it loads, so before disks are full
from torch import nn

from llmlab.finetune.command.descriptions import describe
from llmlab.finetune.command.events import (
    Diverged,
    Finished,
    Interrupted,
    Prepared,
    Saved,
    Step,
    Validation,
)
from llmlab.finetune.command.opening import open_session
from llmlab.finetune.command.options import FinetuneOptions
from llmlab.finetune.command.session import FinetuneSession
from llmlab.finetune.command.tables import print_prepared
from llmlab.finetune.model.adapters import load_adapter
from llmlab.finetune.model.catalog import n_parameters, open_pretrained, weights_folder
from llmlab.finetune.model.qlora import dequantise, paged_adamw
from llmlab.gpt.training import TrainConfig, Trainer
from llmlab.method.errors import LabError
from llmlab.runs.control import Request, ask
from llmlab.runs.folder import RunFolder

CPU = torch.device("cpu")
SMALL = FinetuneOptions(rank=2, steps=5, batch_size=4, test_items=20)
Open = Callable[..., FinetuneSession]
HUB = ("qwen2", "llama", "experts", "mamba2")


@pytest.fixture
def opened(made: Callable[[str], Path], tmp_path: Path, held: ExitStack) -> Open:
    """Opens a brief session on a tiny base, with other options if wanted."""

    def make(folder: str = "run", form: str = "skilled", **options: object) -> FinetuneSession:
        base = f"hf:{made(form)}" if form in HUB else str(made(form))
        asked = replace(SMALL, **({"rank": None} if options.get("method") == "full" else {}))
        session = held.enter_context(
            open_session(replace(asked, base=base, **options), tmp_path / folder, CPU)
        )
        return replace(session, config=replace(session.config, suite_items=10))

    return make


def log(session: FinetuneSession) -> list[dict]:
    return [json.loads(line) for line in (session.folder / "log.jsonl").read_text().splitlines()]


def report(session: FinetuneSession) -> dict:
    return json.loads((session.folder / "report.json").read_text())


def test_a_run_tells_what_happens_in_order(opened: Open) -> None:
    kinds = [type(event) for event in opened().events()]
    assert kinds[0] is Prepared
    assert kinds[1:-2] == [Step, Validation] * 4 + [Step]
    assert kinds[-2:] == [Saved, Finished]


@pytest.mark.parametrize(("form", "is_measured"), [("run", False), ("qwen2", True)])
def test_the_loss_on_ordinary_text_is_measured_for_hub_models(
    opened: Open, sentences: str, form: str, is_measured: bool
) -> None:
    *_, finished = opened(form=form, data=sentences, steps=1).events()
    grades = (finished.before, finished.after)
    assert all((grade.text_loss is not None) == is_measured for grade in grades)


def test_every_step_is_logged_with_its_layers(opened: Open) -> None:
    session = opened()
    list(session.events())
    first, *others = log(session)
    assert first["event"] == "run"
    assert first["method.rank"] == 2
    points = [row for row in others if row["event"] == "point"]
    assert [row["step"] for row in points] == list(range(5))
    for row in points:
        assert list(row["gradient_norms"]) == list(row["update_ratios"]) == ["blocks.0", "blocks.1"]
        assert row["tokens_per_second"] > 0


def test_the_instruments_look_every_so_many_steps(opened: Open) -> None:
    session = opened(every=2)
    list(session.events())
    looked = ["update_ratios" in row for row in log(session) if row["event"] == "point"]
    assert looked == [True, False, True, False, True]


def test_the_report_holds_what_the_events_told(opened: Open) -> None:
    session = opened()
    prepared, *_, finished = session.events()
    found = report(session)
    assert found["outcome"] == "finished"
    assert found["run"]["data"] == "skills:subtraction"
    assert found["prepared"]["trained"] == prepared.trained
    assert found["after"]["accuracy"] == finished.after.accuracy
    before, after = found["before"]["suites"], found["after"]["suites"]
    lost = [before[name] - after[name] for name in before]
    assert found["forgetting"] == pytest.approx(sum(lost) / 4)


@pytest.mark.parametrize(
    ("form", "method"),
    [("skilled", "lora"), ("skilled", "qlora"), ("run", "lora"), ("qwen2", "qlora")],
)
def test_the_adapter_in_the_folder_is_the_one_that_was_trained(
    form: str, method: str, opened: Open, sentences: str
) -> None:
    data = "skills:subtraction" if form == "skilled" else sentences
    session = opened(form=form, method=method, data=data)
    list(session.events())
    four_bit = session.config.method.four_bit if method == "qlora" else None
    base = open_pretrained(session.base.name, four_bit=four_bit, device=CPU)
    tokens_BT = session.data.training.tokens_NT[:2]
    trained = session.base.model.eval()
    loaded = load_adapter(session.folder / "adapter", base).eval()
    with torch.no_grad():
        torch.testing.assert_close(loaded(tokens_BT), trained(tokens_BT))


@pytest.mark.parametrize("form", ["skilled", "run", "llama"])
def test_a_model_that_was_trained_whole_is_kept_in_the_form_of_its_base(
    form: str, opened: Open, sentences: str
) -> None:
    data = "skills:subtraction" if form == "skilled" else sentences
    session = opened(form=form, method="full", data=data)
    list(session.events())
    kept = session.folder / "model"
    found = open_pretrained(f"hf:{kept}" if form == "llama" else str(kept), device=CPU)
    tokens_BT = session.data.training.tokens_NT[:2]
    with torch.no_grad():
        torch.testing.assert_close(
            found.model.eval()(tokens_BT), session.base.model.eval()(tokens_BT)
        )


def adapter(session: FinetuneSession) -> bytes:
    list(session.events())
    return (session.folder / "adapter" / "adapter_model.safetensors").read_bytes()


def test_a_seed_fixes_the_adapter_bit_by_bit(opened: Open) -> None:
    first, again, other = (opened(name, seed=seed) for name, seed in [("a", 3), ("b", 3), ("c", 4)])
    assert adapter(first) == adapter(again) != adapter(other)


def test_preparing_changes_no_weight(opened: Open) -> None:
    session = opened(method="full")
    before = [p.detach().clone() for p in session.base.model.parameters()]
    next(session.events())
    for one, other in zip(before, session.base.model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_memory_is_predicted(method: str, opened: Open) -> None:
    prepared = next(opened(method=method).events())
    assert prepared.predicted.total == pytest.approx(prepared.measured.total, rel=0.02)


def test_a_mixture_of_experts_trains_without_a_prediction(
    opened: Open, sentences: str, capfd: pytest.CaptureFixture
) -> None:
    session = opened(form="experts", data=sentences)
    names = "mlp.experts.gate_up_proj, mlp.experts.down_proj, mlp.gate.weight"
    assert f"in no linear layer: {names}\n        (6,272 parameters, 22% of" in describe(session)
    prepared, *_, last = session.events()
    assert prepared.predicted is None
    assert prepared.measured.total > 0
    assert isinstance(last, Finished)
    print_prepared(prepared, session)
    said = capfd.readouterr()
    assert "No prediction: this model cannot be run on tensors without numbers." in said.out
    assert "Traceback" not in said.err


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_layers_narrower_than_the_rank_are_passed_over_and_named(
    opened: Open, sentences: str, method: str
) -> None:
    session = opened(form="llama", data=sentences, method=method, rank=20)
    assert "not adapted, since it is narrower than the rank: k_proj, v_proj\n" in describe(session)
    *_, last = session.events()
    assert isinstance(last, Finished)


def test_a_narrow_layer_that_is_named_needs_a_lower_rank(opened: Open, sentences: str) -> None:
    session = opened(form="llama", data=sentences, rank=20, target_modules="q_proj,k_proj")
    with pytest.raises(LabError, match=r"rank 20 is above the width 16 of the layer .*k_proj"):
        list(session.events())


def test_a_model_that_passes_an_adapter_by_is_named_with_the_way_on(
    opened: Open, sentences: str
) -> None:
    with pytest.raises(LabError, match=r"mamba2 reads the weights .* with --target-modules, or"):
        list(opened(form="mamba2", data=sentences).events())
    others = opened("others", form="mamba2", data=sentences, target_modules="in_proj")
    list(others.events())
    assert report(others)["outcome"] == "finished"


def test_only_qlora_quantises_and_says_how_far_the_weights_moved(opened: Open) -> None:
    assert next(opened("a").events()).quantisation is None
    session = opened("b", method="qlora")
    first, *_ = next(session.events()).quantisation.layers
    assert first.layer == "blocks.0.attention.qkv"
    whole = open_pretrained(session.base.name, device=CPU).model.blocks[0].attention.qkv.weight
    error = dequantise(session.base.model.blocks[0].attention.qkv.base) - whole
    assert first.relative_error == pytest.approx((error.norm() / whole.norm()).item(), rel=1e-5)


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_the_parameters_of_a_base_are_counted_whole_and_without_an_adapter(
    method: str, opened: Open
) -> None:
    session = opened(method=method)
    expected = sum(p.numel() for p in session.base.model.parameters())
    next(session.events())
    assert n_parameters(session.base) == expected


def test_ctrl_c_keeps_what_was_learned(opened: Open) -> None:
    session = opened()
    seen = []
    for event in session.events():
        seen.append(event)
        if isinstance(event, Step) and event.point.step == 2:
            signal.raise_signal(signal.SIGINT)
    assert seen[-1] == Interrupted(3)
    assert seen[-2] == Saved(3, str(session.folder / "adapter"))
    load_adapter(session.folder / "adapter", open_pretrained(session.base.name, device=CPU))
    assert report(session)["outcome"] == "interrupted"


def test_a_run_that_diverges_keeps_its_last_good_adapter(opened: Open) -> None:
    session = opened(learning_rate=1e25, steps=20)
    *_, saved, diverged = session.events()
    assert isinstance(diverged, Diverged)
    assert saved == Saved(diverged.step, str(session.folder / "adapter"))
    assert log(session)[-1]["loss"] is None
    model = load_adapter(session.folder / "adapter", open_pretrained(session.base.name, device=CPU))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_a_base_that_gives_nan_is_not_trained_and_nothing_is_kept(opened: Open) -> None:
    session = opened()
    session.base.model.norm.weight.data.fill_(torch.nan)
    *_, last = session.events()
    assert last.step == 0
    assert not (session.folder / "adapter").exists()


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_checkpoint_on_the_way_is_replaced_by_the_last_weights(method: str, opened: Open) -> None:
    session = opened(method=method)
    saved = []
    for event in session.events():
        if isinstance(event, Step) and event.point.step in (1, 2):
            ask(session.folder, Request(id="0" * 16, action="checkpoint"))
        saved += [event] if isinstance(event, Saved) else []
    assert [event.step for event in saved] == [2, 3, 5]
    assert sorted(path.name for path in session.saved_to.parent.iterdir() if path.is_dir()) == [
        session.saved_to.name
    ]
    if method == "full":
        kept = open_pretrained(str(session.saved_to), device=CPU).model.state_dict()
        assert all(torch.equal(kept[n], t) for n, t in session.base.model.state_dict().items())


# Full disks


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only other place that can be written to."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("HOME", "/dev/null")
    return folder


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Fills the disk of a folder: no new file can be put in its place there."""
    replace_file = os.replace

    def full(folder: Path) -> None:
        def refuse(source: Path, target: Path) -> None:
            if Path(target).is_relative_to(folder):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            replace_file(source, target)

        monkeypatch.setattr("llmlab.method.files.os.replace", refuse)

    return full


@pytest.mark.parametrize("name", ["adapter", "report.json"])
def test_weights_that_the_disk_has_no_room_for_are_saved_elsewhere(
    name: str, opened: Open, elsewhere: Path, fill: Callable[[Path], None]
) -> None:
    session = opened()
    fill(session.folder / name)
    with pytest.raises(LabError, match=r"stopped after 5 steps \(No space left") as error:
        list(session.events())
    saved = Path(re.search(r"whole in (.*): free some space", str(error.value))[1])
    assert saved.is_relative_to(elsewhere if name == "adapter" else session.folder)
    assert "same command" not in str(error.value)
    load_adapter(saved, open_pretrained(session.base.name, device=CPU))


def test_a_log_that_cannot_grow_ends_the_run_and_keeps_what_was_learned(
    opened: Open, elsewhere: Path
) -> None:
    session = opened(steps=200)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(LabError, match=r"stopped after \d+ steps \(File too") as error:
            list(session.events())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    saved = Path(re.search(r"whole in (.*): free some space", str(error.value))[1])
    assert saved.is_relative_to(elsewhere)
    load_adapter(saved, open_pretrained(session.base.name, device=CPU))


def test_a_log_that_ends_before_the_first_step_has_no_weights_to_keep(
    opened: Open, elsewhere: Path, tmp_path: Path
) -> None:
    session = opened()
    (tmp_path / "other").mkdir()
    first = RunFolder(tmp_path / "other").log
    first.start(session.run)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (first.path.stat().st_size, limits[1]))
    try:
        with pytest.raises(
            LabError, match=r"after 0 steps \(.* too large\): free .*, remove .*/run"
        ):
            list(session.events())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("method", ["lora", "full"])
def test_weights_that_fit_nowhere_are_said_to_be_lost(
    method: str, opened: Open, elsewhere: Path
) -> None:
    session = opened(method=method)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, limits[1]))
    try:
        with pytest.raises(LabError, match=r"saved nowhere: free some space, remove .*/run, and"):
            list(session.events())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(elsewhere.iterdir())


def test_a_folder_that_holds_something_is_left_alone(opened: Open, tmp_path: Path) -> None:
    session = opened()
    (session.folder / "thesis.txt").write_text("mine")
    with pytest.raises(LabError, match=r"run already holds a run or other files: name another"):
        list(session.events())
    assert sorted(path.name for path in session.folder.iterdir()) == [".lock", "thesis.txt"]


@pytest.mark.parametrize("options", [{"rank": 100}, {"target_modules": "query"}])
def test_nothing_is_written_where_the_method_does_not_fit(
    options: dict, opened: Open, tmp_path: Path
) -> None:
    with pytest.raises(LabError):
        list(opened(**options).events())
    assert RunFolder(tmp_path / "run").is_empty


def test_replay_puts_old_items_into_each_batch(opened: Open) -> None:
    session = opened(replay=0.5)
    old = {tuple(row) for row in session.data.old.tokens_NT.tolist()}
    tokens_BT, _ = next(session._batches())
    assert [tuple(row) in old for row in tokens_BT.tolist()] == [False, False, True, True]
    assert isinstance(list(session.events())[-1], Finished)


def test_a_file_of_few_examples_has_none_to_test_on(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "few.jsonl"
    path.write_text('{"prompt": "1+1=", "response": "2"}\n')
    *_, finished = opened(data=str(path)).events()
    assert finished.after.accuracy is None


def test_a_base_of_another_kind_has_no_skills_to_forget(opened: Open, sentences: str) -> None:
    *_, finished = opened(form="run", data=sentences).events()
    assert finished.forgetting is None
    assert finished.after.n_items == 2


def test_where_a_run_keeps_what_it_learned(tmp_path: Path) -> None:
    assert weights_folder(tmp_path) == tmp_path
    (tmp_path / "adapter").mkdir()
    assert weights_folder(tmp_path) == tmp_path / "adapter"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="pages memory of CUDA")
def test_the_paged_optimizer_trains_the_same_parameters() -> None:
    model = nn.Linear(64, 64).cuda()
    trainer = Trainer(model, TrainConfig(1e-3, steps=1, weight_decay=0.1))
    paged = paged_adamw(trainer.optimizer)
    assert [len(group["params"]) for group in paged.param_groups] == [1, 1]
    before = model.weight.detach().clone()
    model(torch.ones(1, 64, device="cuda")).sum().backward()
    paged.step()
    assert not torch.equal(model.weight, before)
