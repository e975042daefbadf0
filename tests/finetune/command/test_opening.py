import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from llmlab.finetune.command.opening import RATES
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.methods import Full
from llmlab.finetune.model.qlora import FourBit, QloraSpec, quantised_layers
from llmlab.gpt.training import TrainConfig
from llmlab.method.errors import LabError

CPU = torch.device("cpu")


@pytest.fixture
def ten(tmp_path: Path) -> str:
    """A file of ten examples, the last of them longer."""
    path = tmp_path / "ten.jsonl"
    rows = [{"prompt": f"{n}+{n}=", "response": str(n + n)} for n in range(9)]
    rows.append({"prompt": "and so on, up to", "response": "nine"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_defaults_are_three_epochs_of_lora_on_subtraction(opened) -> None:
    session = opened()
    assert session.config.method == LoraSpec(rank=8, alpha=16)
    assert session.config.train == TrainConfig(RATES["ours"]["lora"], steps=380)  # 3 × 4050 / 32
    assert session.config.batch_size == 32
    assert session.data.n_examples == 4050
    assert len(session.data.test.tokens_NT) == 1000
    assert session.folder == Path("runs/skilled-subtraction-lora")


@pytest.mark.parametrize("prefix", ["hf:", ""])
def test_a_model_of_the_hub_has_its_own_rates_however_it_is_named(
    prefix: str, ten: str, opened, made: Callable[[str], Path]
) -> None:
    session = opened(base=f"{prefix}{made('llama')}", data=ten, method="qlora")
    assert session.config.train.learning_rate == RATES["hub"]["qlora"]
    assert list(quantised_layers(session.base.model))  # before it was ever whole


def test_the_folder_is_numbered_where_its_name_is_taken(opened) -> None:
    for expected in ("lora", "lora-2", "lora-3"):
        assert opened().folder.name == f"skilled-subtraction-{expected}"  # each is held


def test_the_folder_is_named_after_base_data_and_method(opened, ten: str) -> None:
    assert opened(data=ten, method="full").folder.name == "skilled-ten-full"
    assert opened(data="skills:facts:64").folder.name == "skilled-facts-64-lora"


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ({"method": "full"}, Full()),
        ({"rank": 4}, LoraSpec(4, 8)),
        ({"rank": 4, "alpha": 32.0, "scaling": "rslora"}, LoraSpec(4, 32.0, "rslora")),
        ({"target_modules": "qkv, up"}, LoraSpec(8, 16, target_modules=("qkv", "up"))),
        ({"target_modules": "all-linear"}, LoraSpec(8, 16)),
        ({"method": "qlora"}, QloraSpec(LoraSpec(8, 16), FourBit(double_quantisation=True))),
        (
            {"method": "qlora", "double_quantisation": False},
            QloraSpec(LoraSpec(8, 16), FourBit(double_quantisation=False)),
        ),
    ],
)
def test_the_method(options: dict, method: object, opened) -> None:
    assert opened(**options).config.method == method


def test_what_is_asked_for_takes_its_place(opened) -> None:
    config = opened(steps=7, learning_rate=0.1, precision="bfloat16", batch_size=4, seed=3).config
    assert config.train == TrainConfig(0.1, steps=7, precision="bfloat16")
    assert (config.batch_size, config.seed) == (4, 3)


def test_an_epoch_reads_every_new_example_once(opened, ten: str) -> None:
    assert opened(data=ten, epochs=1, batch_size=3).config.train.steps == 3  # of nine examples
    replayed = opened(data=ten, epochs=1, batch_size=4, replay=0.25).config
    assert (replayed.train.steps, replayed.n_replayed) == (3, 1)


def test_a_tenth_of_a_file_is_kept_apart(opened, ten: str) -> None:
    data = opened(data=ten).data
    train = {tuple(row) for row in data.training.targets_NT.tolist()}
    test = {tuple(row) for row in data.test.targets_NT.tolist()}
    assert (data.n_examples, len(train), len(test)) == (9, 9, 1)


def test_no_more_test_items_than_asked_for(opened) -> None:
    assert len(opened(test_items=5).data.test.tokens_NT) == 5
    assert opened(test_items=0).data.test is None


def test_old_examples_are_as_wide_as_the_new_ones(opened) -> None:
    data = opened(replay=0.2).data
    assert data.training.tokens_NT.shape[1] == data.old.tokens_NT.shape[1]


def test_packed_rows_hold_the_same_answers(opened, ten: str) -> None:
    plain, packed = opened(data=ten).data, opened(data=ten, pack=True).data
    assert len(packed.training.tokens_NT) < len(plain.training.tokens_NT) == packed.n_examples
    counted = [(m.training.targets_NT >= 0).sum() for m in (plain, packed)]
    assert counted[0] == counted[1]


def test_only_what_a_base_is_known_to_know_can_be_replayed(opened, made) -> None:
    with pytest.raises(LabError, match="leave out --replay, or choose --base micro"):
        opened(base=str(made("run")), replay=0.2)


def test_an_answer_that_does_not_fit_the_context(opened, tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps({"prompt": "a", "response": "b" * 40}))
    with pytest.raises(LabError, match=r"long.jsonl, line 1: .* needs 41 tokens .* holds 32"):
        opened(data=str(path))


def test_a_folder_that_is_taken_is_refused_before_anything_is_loaded(opened, ten: str) -> None:
    with pytest.raises(LabError, match="already holds a run or other files"):
        opened(Path(ten).parent)
