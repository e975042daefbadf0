import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from llmlab.finetune.base import load_base, new_base, save_base
from llmlab.finetune.bases import Base, open_base
from llmlab.finetune.lora import LoraLinear, LoraSpec, add_lora
from llmlab.finetune.qlora import FourBit, quantised_layers
from llmlab.finetune.skills import END
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.saved_runs import open_model
from llmlab.gpt.training import TrainConfig, train
from llmlab.method.errors import LabError
from llmlab.method.project import Project

CPU = torch.device("cpu")
TOKENS_BT = torch.arange(3, 11)[None]
FORMS = ["skilled", "run", "qwen2", "llama"]
HUB_FORMS = ["qwen2", "llama"]
Folder = Callable[[str], Path]


def opened(folder: Path, four_bit: FourBit | None = None) -> Base:
    prefix = "hf:" if folder.name in HUB_FORMS else ""
    return open_base(f"{prefix}{folder}", four_bit=four_bit, device=CPU)


def hub_logits(folder: Path) -> torch.Tensor:
    return AutoModelForCausalLM.from_pretrained(folder).eval()(TOKENS_BT).logits


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("form", "logits"),
    [
        ("skilled", lambda folder: load_base(folder, CPU)(TOKENS_BT)),
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


@pytest.mark.parametrize("form", FORMS)
def test_a_tokenizer_gives_back_the_text(made: Folder, form: str) -> None:
    codec = opened(made(form)).tokenizer
    assert codec.decode(codec.encode("the cat: 1+1=")) == "the cat: 1+1="


@pytest.mark.parametrize(
    ("form", "end"),
    [("skilled", END), ("run", "<|endoftext|>"), ("qwen2", "<|im_end|>"), ("llama", "<|im_end|>")],
)
def test_an_answer_has_an_end(made: Folder, form: str, end: str) -> None:
    codec = opened(made(form)).tokenizer
    assert codec.decode([codec.end]) == end


def test_every_example_begins_as_the_tokenizer_has_it(made: Folder, base_folder: Folder) -> None:
    folder = base_folder("llama")
    assert opened(folder).tokenizer.start == ()
    begins_with_start = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "<|im_start|>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["a"]}},
    }
    change_json(folder / "tokenizer.json", post_processor=begins_with_start)
    change_json(folder / "tokenizer_config.json", bos_token="<|im_start|>")
    assert opened(folder).tokenizer.start == (1,)


def test_the_identity_is_that_of_the_weights_and_not_of_their_place(
    made: Folder, base_folder: Folder, tmp_path: Path
) -> None:
    assert opened(base_folder("skilled")).identity == opened(made("skilled")).identity
    other = new_base(d_model=32, n_layers=2, n_heads=2, context=32, seed=7)
    save_base(other, tmp_path / "other")
    assert opened(tmp_path / "other").identity != opened(made("skilled")).identity


@pytest.mark.parametrize("form", FORMS)
def test_a_base_of_four_bits_is_the_same_base(made: Folder, form: str) -> None:
    whole, quantised = opened(made(form)), opened(made(form), FourBit())
    assert quantised.identity == whole.identity
    assert len(list(quantised_layers(quantised.model))) == len(
        [m for m in whole.model.modules() if isinstance(m, torch.nn.Linear)][:-1]
    )


@pytest.mark.parametrize("block_size", [64, 128])
@pytest.mark.parametrize("double", [True, False])
def test_a_hub_model_is_quantised_as_told(made: Folder, double: bool, block_size: int) -> None:
    base = opened(made("llama"), FourBit(double, block_size))
    states = [layer.weight.quant_state for _, layer in quantised_layers(base.model)]
    assert {(state.nested, state.blocksize) for state in states} == {(double, block_size)}


@pytest.mark.parametrize("form", HUB_FORMS)
def test_all_linear_layers_of_a_hub_model_are_adapted_but_the_output_layer(
    made: Folder, form: str
) -> None:
    model = add_lora(opened(made(form)).model, LoraSpec(2, 4), seed=0)
    adapted = {n.rpartition(".")[2] for n, m in model.named_modules() if isinstance(m, LoraLinear)}
    attention, mlp = {"q_proj", "k_proj", "v_proj", "o_proj"}, {"gate_proj", "up_proj", "down_proj"}
    assert adapted == attention | mlp


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
    base = open_base(str(tmp_path / "run"), device=CPU)
    assert base.identity == opened(made(form)).identity


def test_the_folder_of_a_run_that_made_an_adapter_is_no_base(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    with pytest.raises(LabError, match=f"`llmlab merge {tmp_path}/adapter --out FOLDER`"):
        open_base(str(tmp_path), device=CPU)


def test_a_folder_of_transformers_needs_no_prefix(made: Folder) -> None:
    assert open_base(str(made("llama")), device=CPU).identity == opened(made("llama")).identity


def test_a_whole_hub_model_can_be_trained(made: Folder) -> None:
    assert all(parameter.requires_grad for parameter in opened(made("qwen2")).model.parameters())


@pytest.mark.parametrize("scales", [("smoke",), ("smoke", "laptop")])
def test_micro_is_the_largest_base_that_was_made(tmp_path: Path, scales: tuple[str, ...]) -> None:
    project = Project(tmp_path)
    for seed, scale in enumerate(scales):
        model = new_base(d_model=16, n_layers=1, n_heads=2, context=32, seed=seed)
        save_base(model, project.fresh(scale, "base_model") / "kept")
    assert scales[-1] in open_base("micro", project, device=CPU).folder.parts


def test_without_micro_the_command_that_makes_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="`llmlab run base_model --scale laptop`"):
        open_base("micro", Project(tmp_path), device=CPU)


def test_a_base_that_does_not_exist_is_refused_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/nano-verdict").mkdir(parents=True)
    with pytest.raises(LabError, match=r"no base 'mikro' .did you mean 'micro'"):
        open_base("mikro", device=CPU)
    with pytest.raises(LabError, match="did you mean 'runs/nano-verdict'"):
        open_base("runs/nano-verdikt", device=CPU)


def test_a_hub_model_that_cannot_be_had_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(LabError, match=r'no folder "nobody/nothing".*name a folder'):
        open_base("hf:nobody/nothing", device=CPU)


def test_a_missing_package_is_named(made: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made("llama")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(LabError, match=r"llmlab\[hub\]"):
        opened(folder)


def test_a_folder_that_is_no_base_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="holds no checkpoint"):
        open_base(str(tmp_path), device=CPU)
    with pytest.raises(LabError, match="holds no model of the form of transformers"):
        open_base(f"hf:{tmp_path}", device=CPU)
    (tmp_path / "adapter_config.json").write_text("{}")
    for name in (str(tmp_path), f"hf:{tmp_path}"):
        with pytest.raises(LabError, match="is an adapter, no base"):
            open_base(name, device=CPU)


def test_damaged_weights_are_refused(base_folder: Folder) -> None:
    skilled, llama = base_folder("skilled"), base_folder("llama")
    for path in (skilled / "base.safetensors", llama / "model.safetensors"):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(LabError, match="holds no whole base model"):
        opened(skilled)
    with pytest.raises(LabError, match="cannot be loaded as a causal language model"):
        opened(llama)


def test_a_base_needs_its_tokenizer(base_folder: Folder) -> None:
    run, llama = base_folder("run"), base_folder("llama")
    for path in (run / "tokenizer.json", llama / "tokenizer.json"):
        path.unlink()
    with pytest.raises(LabError, match="no tokenizer at"):
        opened(run)
    with pytest.raises(LabError, match="has no tokenizer that can be read"):
        opened(llama)


def test_another_tokenizer_than_that_of_the_weights_is_refused(base_folder: Folder) -> None:
    llama, skilled = base_folder("llama"), base_folder("skilled")
    save_base(GPT(GPTConfig(9, context=32, d_model=16, n_layers=1, n_heads=2)), skilled)
    with pytest.raises(LabError, match="knows 9 tokens and the tokenizer of the four skills"):
        opened(skilled)
    added = json.loads((llama / "tokenizer.json").read_text())["added_tokens"]
    more = [added[0] | {"id": 280 + i, "content": f"<{i}>"} for i in range(40)]
    change_json(llama / "tokenizer.json", added_tokens=added + more)
    with pytest.raises(LabError, match=r"has \d+ tokens and its model knows 300"):
        opened(llama)


def test_a_tokenizer_without_an_end_is_refused(base_folder: Folder) -> None:
    folder = base_folder("llama")
    change_json(folder / "tokenizer_config.json", eos_token=None)
    with pytest.raises(LabError, match="names no token that ends an answer"):
        opened(folder)


@pytest.mark.parametrize("four_bit", [None, FourBit()], ids=["whole", "four bits"])
def test_a_gpt2_is_sent_through_import(base_folder: Folder, four_bit: FourBit | None) -> None:
    folder = base_folder("llama")
    shape = {"vocab_size": 300, "n_positions": 16, "n_embd": 32, "n_layer": 1, "n_head": 2}
    GPT2LMHeadModel(GPT2Config(**shape)).save_pretrained(folder)
    with pytest.raises(LabError, match=f"`llmlab import {folder}`"):
        opened(folder, four_bit)


def test_a_model_that_is_quantised_already_is_refused(base_folder: Folder) -> None:
    folder = base_folder("llama")
    change_json(folder / "config.json", quantization_config={"load_in_4bit": True})
    with pytest.raises(LabError, match="are quantised already: name the model that they were"):
        opened(folder)
