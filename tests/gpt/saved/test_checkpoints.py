import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from fuzzing import assert_survives, mutated_bytes, mutated_json, overwrite
from safetensors import SafetensorError

from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.saved.checkpoints import (
    Checkpoint,
    checkpoints,
    keep_newest,
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)
from llmlab.gpt.training import TrainConfig, Trainer
from llmlab.method.errors import LabError

SHAPE = GPTConfig(vocab_size=40, context=8, d_model=16, n_layers=1, n_heads=2)


def save(folder: Path, step: int) -> Path:
    torch.manual_seed(step)
    model = GPT(SHAPE)
    trainer = Trainer(model, TrainConfig(1e-3, 10))
    tokens_BT = torch.zeros(2, 8, dtype=torch.long)
    next(trainer.points(iter([(tokens_BT, tokens_BT)])))
    return save_checkpoint(
        folder,
        weights=model.state_dict(),
        training={**trainer.state_dict(), "step": step, "random": random_state()},
        shape=asdict(SHAPE),
        run={"seed": step},
    )


def test_a_checkpoint_gives_back_what_it_was_given(tmp_path: Path) -> None:
    found = load_checkpoint(save(tmp_path, 3))
    assert (found.step, found.shape, found.run) == (3, SHAPE, {"seed": 3})
    torch.manual_seed(3)
    untrained = GPT(SHAPE).state_dict()
    assert found.weights().keys() == untrained.keys()
    assert found.training()["step"] == 3
    assert len(found.training()["optimizer"]["state"]) == len(list(GPT(SHAPE).parameters()))
    model = found.model()
    assert not model.training
    assert model.head.weight is model.token_embedding.weight


def test_random_numbers_go_on_where_they_were() -> None:
    state = random_state()
    drawn = torch.rand(3)
    set_random_state(state)
    assert torch.equal(torch.rand(3), drawn)


def test_of_a_run_the_newest_is_loaded(tmp_path: Path) -> None:
    for step in (9, 100, 20):
        save(tmp_path / "checkpoints", step)
    assert load_checkpoint(tmp_path).step == 100
    names = [path.name for path in checkpoints(tmp_path)]
    assert names == ["step-00000009", "step-00000020", "step-00000100"]


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(tmp_path, step)
    keep_newest(tmp_path, 2)
    assert [load_checkpoint(path).step for path in checkpoints(tmp_path)] == [2, 3]


@pytest.mark.parametrize("name", ["model.safetensors", "training.pt"])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_file_is_refused(name: str, damage: str, tmp_path: Path) -> None:
    path = save(tmp_path, 1) / name
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-10] if damage == "cut" else bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(LabError, match=rf"{name} is not the file that was saved .*cut short"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"layout": 1}', '{"layout": 1, "sha256": {}}'])
def test_a_foreign_description_is_refused(text: str, tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    (folder / "checkpoint.json").write_text(text)
    with pytest.raises(LabError, match="is not the description of a checkpoint"):
        load_checkpoint(folder)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    about = save(tmp_path, 1) / "checkpoint.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"layout": 7}))
    with pytest.raises(LabError, match="has the layout 7 of another version"):
        load_checkpoint(tmp_path)


def test_another_layout_is_refused_whatever_else_it_holds(tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    (folder / "checkpoint.json").write_text('{"layout": 7, "model": {"depth": 3}}')
    with pytest.raises(LabError, match="has the layout 7 of another version"):
        load_checkpoint(folder)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    about = save(tmp_path, 1) / "checkpoint.json"
    described = json.loads(about.read_text())
    described["shape"]["context"] = 16
    about.write_text(json.dumps(described))
    with pytest.raises(
        LabError, match=r"position_embedding.weight is \[8, 16\] and not \[16, 16\]"
    ):
        load_checkpoint(tmp_path).model()


def test_heads_that_do_not_divide_the_width_are_refused(tmp_path: Path) -> None:
    about = save(tmp_path, 1) / "checkpoint.json"
    about.write_text(about.read_text().replace('"n_heads": 2', '"n_heads": 3'))
    with pytest.raises(LabError, match="d_model 16 is not divisible by n_heads 3"):
        load_checkpoint(tmp_path)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save(tmp_path, 1)


def test_fuzz_a_description_is_read_or_refused(saved: Path) -> None:
    about = saved / "checkpoint.json"
    valid = json.loads(about.read_text())

    def read(content: bytes) -> None:
        overwrite(about, content)
        load_checkpoint(saved).model()

    assert assert_survives(read, lambda draw: mutated_json(valid, draw)) > 0


@pytest.mark.parametrize(
    ("name", "load"),
    [("model.safetensors", Checkpoint.weights), ("training.pt", Checkpoint.training)],
)
def test_fuzz_files_behind_a_mended_digest(name: str, load: Callable, saved: Path) -> None:
    about = json.loads((saved / "checkpoint.json").read_text())
    valid = (saved / name).read_bytes()

    def read(content: bytes) -> None:
        overwrite(saved / name, content)
        about["sha256"][name] = hashlib.sha256(content).hexdigest()
        overwrite(saved / "checkpoint.json", json.dumps(about).encode())
        load(load_checkpoint(saved))

    assert_survives(read, lambda draw: mutated_bytes(valid, draw))


@pytest.mark.parametrize(
    "make", [lambda folder: None, lambda folder: (folder / "config.json").touch()]
)
def test_a_folder_without_checkpoint_is_refused(make: Callable, tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(LabError, match="holds no checkpoint: name a checkpoint, or the folder"):
        load_checkpoint(tmp_path)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, largest_file) -> None:
    n_fitting = (save(tmp_path, 1) / "model.safetensors").stat().st_size
    with largest_file(n_fitting), pytest.raises(LabError, match=r"cannot write .*step-00000002"):
        save(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert load_checkpoint(tmp_path).step == 1


def test_an_error_of_safetensors_is_one_sentence(tmp_path: Path, monkeypatch) -> None:
    def full(*arguments: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device")

    monkeypatch.setattr("llmlab.gpt.saved.checkpoints.save_file", full)
    with pytest.raises(LabError, match=r"cannot write .*step-00000002: .*No space left"):
        save(tmp_path, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_kill_while_saving_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    before = save(tmp_path, 1)
    shutil.copytree(before, tmp_path / ".step-00000002.77")  # not renamed yet
    assert load_checkpoint(tmp_path).folder == before
