import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from llmlab.finetune.model.base_model import load_base_model, new_base_model, save_base_model
from llmlab.finetune.model.catalog import open_pretrained
from llmlab.finetune.model.lora import LoraSpec, add_lora
from llmlab.finetune.model.qlora import FourBit, quantised_layers
from llmlab.gpt.saved.saved_runs import open_model
from llmlab.gpt.training import TrainConfig, train
from llmlab.method.errors import LabError
from tests.finetune.bases import FORMS, Folder, opened

CPU = torch.device("cpu")
TOKENS_BT = torch.arange(3, 11)[None]


def hub_logits(folder: Path) -> torch.Tensor:
    return AutoModelForCausalLM.from_pretrained(folder).eval()(TOKENS_BT).logits


@pytest.mark.parametrize(
    ("form", "logits"),
    [
        ("skilled", lambda folder: load_base_model(folder, CPU)(TOKENS_BT)),
        ("run", lambda folder: open_model(folder)[0](TOKENS_BT)),
        ("qwen2", hub_logits),
        ("llama", hub_logits),
    ],
)
def test_a_base_gives_the_logits_of_its_files(made: Folder, form: str, logits: Callable) -> None:
    base = opened(made(form))
    torch.testing.assert_close(base.model.eval()(TOKENS_BT), logits(made(form)))


@pytest.mark.parametrize(("form", "context"), [("skilled", 32), ("run", 32), ("qwen2", 64)])
def test_a_base_knows_its_context(made: Folder, form: str, context: int) -> None:
    assert opened(made(form)).context == context


def test_the_identity_is_that_of_the_weights_and_not_of_their_place(
    made: Folder, base_folder: Folder, tmp_path: Path
) -> None:
    assert opened(base_folder("skilled")).identity == opened(made("skilled")).identity
    other = new_base_model(d_model=32, n_layers=2, n_heads=2, context=32, seed=7)
    save_base_model(other, tmp_path / "other")
    assert opened(tmp_path / "other").identity != opened(made("skilled")).identity


@pytest.mark.parametrize("form", FORMS)
def test_a_base_of_four_bits_is_the_same_base(made: Folder, form: str) -> None:
    whole, quantised = opened(made(form)), opened(made(form), FourBit())
    assert quantised.identity == whole.identity
    assert len(list(quantised_layers(quantised.model))) == len(
        [m for m in whole.model.modules() if isinstance(m, torch.nn.Linear)][:-1]
    )


@pytest.mark.parametrize("four_bit", [None, FourBit()], ids=["lora", "qlora"])
@pytest.mark.parametrize("form", FORMS)
def test_an_adapter_on_any_base_learns_even_after_an_evaluation(
    made: Folder, form: str, four_bit: FourBit | None
) -> None:
    model = add_lora(opened(made(form), four_bit).model, LoraSpec(4, 8), seed=0)
    model.eval()(TOKENS_BT)
    batches = iter([(TOKENS_BT[:, :-1], TOKENS_BT[:, 1:])] * 9)
    losses = train(model, batches, TrainConfig(learning_rate=1e-2, steps=9, log_every=1))
    first, *_, last = [loss for _, loss in losses.curve("loss")]
    assert last < first - 0.1


@pytest.mark.parametrize("form", FORMS)
def test_what_full_fine_tuning_left_in_its_folder_is_a_base(
    made: Folder, tmp_path: Path, form: str
) -> None:
    shutil.copytree(made(form), tmp_path / "run" / "model")
    base = open_pretrained(str(tmp_path / "run"), device=CPU)
    assert base.identity == opened(made(form)).identity


def test_the_folder_of_a_run_that_made_an_adapter_is_no_base(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    with pytest.raises(LabError, match=f"`llmlab merge {tmp_path}/adapter --out FOLDER`"):
        open_pretrained(str(tmp_path), device=CPU)


def test_micro_is_the_first_of_the_folders_that_hold_one(tmp_path: Path) -> None:
    for seed, name in enumerate(("laptop", "smoke")):
        model = new_base_model(d_model=16, n_layers=1, n_heads=2, context=32, seed=seed)
        save_base_model(model, tmp_path / name)
    folders = [tmp_path / "laptop", tmp_path / "smoke"]
    assert open_pretrained("micro", lambda: folders, device=CPU).folder == tmp_path / "laptop"


def test_without_micro_the_command_that_makes_it_is_named() -> None:
    with pytest.raises(LabError, match="`llmlab run base_model --scale laptop`"):
        open_pretrained("micro", device=CPU)


def test_a_base_that_does_not_exist_is_refused_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/nano-verdict").mkdir(parents=True)
    with pytest.raises(LabError, match=r"no base 'mikro' .did you mean 'micro'"):
        open_pretrained("mikro", device=CPU)
    with pytest.raises(LabError, match="did you mean 'runs/nano-verdict'"):
        open_pretrained("runs/nano-verdikt", device=CPU)


def test_a_folder_that_is_no_base_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="holds no checkpoint"):
        open_pretrained(str(tmp_path), device=CPU)
    with pytest.raises(LabError, match="holds no model in the format of transformers"):
        open_pretrained(f"hf:{tmp_path}", device=CPU)
    (tmp_path / "adapter_config.json").write_text("{}")
    for name in (str(tmp_path), f"hf:{tmp_path}"):
        with pytest.raises(LabError, match="is an adapter, not a base model"):
            open_pretrained(name, device=CPU)


def test_damaged_weights_are_refused(base_folder: Folder) -> None:
    skilled, llama = base_folder("skilled"), base_folder("llama")
    for path in (skilled / "base.safetensors", llama / "model.safetensors"):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(LabError, match="holds no intact base model"):
        opened(skilled)
    with pytest.raises(LabError, match="cannot be loaded as a causal language model"):
        opened(llama)


def test_a_base_needs_its_tokenizer(base_folder: Folder) -> None:
    run, llama = base_folder("run"), base_folder("llama")
    for path in (run / "tokenizer.json", llama / "tokenizer.json"):
        path.unlink()
    with pytest.raises(LabError, match="no tokenizer at"):
        opened(run)
    with pytest.raises(LabError, match=r"tokenizer of .* cannot be read"):
        opened(llama)
