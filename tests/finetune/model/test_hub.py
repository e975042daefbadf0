import json
import sys
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    MptConfig,
    PretrainedConfig,
    XLNetConfig,
)

from llmlab.finetune.command.generation import continue_text
from llmlab.finetune.model.base_model import save_base_model
from llmlab.finetune.model.catalog import open_pretrained
from llmlab.finetune.model.hub import context_of, require_end, require_linear_layers
from llmlab.finetune.model.lora import LoraLinear, LoraSpec, add_lora
from llmlab.finetune.model.qlora import FourBit, quantised_layers
from llmlab.gpt.generation import SamplingConfig
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.method.errors import LabError
from tests.finetune.bases import HUB_FORMS, change_json, opened

CPU = torch.device("cpu")
Folder = Callable[[str], Path]


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


def test_a_folder_of_transformers_needs_no_prefix(made: Folder) -> None:
    assert (
        open_pretrained(str(made("llama")), device=CPU).identity == opened(made("llama")).identity
    )


def test_a_whole_hub_model_can_be_trained(made: Folder) -> None:
    assert all(parameter.requires_grad for parameter in opened(made("qwen2")).model.parameters())


def test_a_hub_model_that_cannot_be_had_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(LabError, match=r'no folder "nobody/nothing".*name a folder'):
        open_pretrained("hf:nobody/nothing", device=CPU)


def test_a_missing_package_is_named(made: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made("llama")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(LabError, match=r"llmlab\[hub\]"):
        opened(folder)


def test_another_tokenizer_than_that_of_the_weights_is_refused(base_folder: Folder) -> None:
    llama, skilled = base_folder("llama"), base_folder("skilled")
    save_base_model(GPT(GPTConfig(9, context=32, d_model=16, n_layers=1, n_heads=2)), skilled)
    with pytest.raises(LabError, match="has 9 tokens and the tokenizer of the four skills"):
        opened(skilled)
    added = json.loads((llama / "tokenizer.json").read_text())["added_tokens"]
    more = [added[0] | {"id": 280 + i, "content": f"<{i}>"} for i in range(40)]
    change_json(llama / "tokenizer.json", added_tokens=added + more)
    with pytest.raises(LabError, match=r"has \d+ tokens and its model 300"):
        opened(llama)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", r"config\.json of hf:.* cannot be used"),
        ("[]", r"config\.json of hf:.* cannot be used"),
        ('{"model_type": "llama", "hidden_size": NaN}', r"config\.json of hf:.* cannot be used"),
        ('{"model_type": "x", "auto_map": {"AutoConfig": "x.Y"}}', "without code of its own"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named(
    base_folder: Folder, content: str, reason: str
) -> None:
    folder = base_folder("llama")
    (folder / "config.json").write_text(content)
    with pytest.raises(LabError, match=reason):
        opened(folder)


def change_weights(folder: Path, **more: torch.Tensor) -> None:
    """Put more weights into the model's file; a double underscore stands for a dot."""
    path = folder / "model.safetensors"
    added = {name.replace("__", "."): tensor for name, tensor in more.items()}
    save_file(load_file(path) | added, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_hidden_layers": 1}, r"hold model\.layers\.1\..* \(and 8 more\), for which its con"),
        ({"num_hidden_layers": 3}, r"^model\.layers\.2\..* \(and 8 more\) is missing from the wei"),
        (
            {"intermediate_size": 48},
            r"\.down_proj\.weight \(and 5 more\) has .*\[32, 64\].*\[32, 48\]",
        ),
        (
            {"num_key_value_heads": 2},
            r"k_proj\.weight \(and 3 more\) has the shape \[16, 32\] in the",
        ),
        ({"vocab_size": 320}, r"(embed_tokens|lm_head)\.weight \(and 1 more\) has the shape"),
    ],
)
@pytest.mark.parametrize("four_bit", [None, FourBit()], ids=["whole", "four bits"])
def test_a_configuration_of_another_model_than_the_weights_is_refused_by_their_names(
    base_folder: Folder, changes: dict[str, int], reason: str, four_bit: FourBit | None
) -> None:
    folder = base_folder("llama")
    change_json(folder / "config.json", **changes)
    with pytest.raises(LabError, match=reason):
        opened(folder, four_bit)


@pytest.mark.parametrize(
    "name", ["model__layers__0__self_attn__q_proj__bias", "lm_head__bias", "model__norm__bias"]
)
def test_a_weight_of_a_layer_that_the_model_does_not_take_is_refused(
    base_folder: Folder, name: str
) -> None:
    folder = base_folder("llama")
    change_weights(folder, **{name: torch.zeros(32)})
    with pytest.raises(LabError, match=f"hold {name.replace('__', '.')}, for which its config"):
        opened(folder)


def test_weights_beside_a_model_are_left_out_and_named(base_folder: Folder) -> None:
    folder = base_folder("llama")
    change_weights(folder, v_head__summary__weight=torch.zeros(1, 32))
    assert opened(folder).left_out == ("v_head.summary.weight",)


def test_without_an_end_a_model_can_be_asked_but_not_trained(base_folder: Folder) -> None:
    folder = base_folder("llama")
    change_json(folder / "tokenizer_config.json", eos_token=None)
    base = opened(folder)
    assert len([*continue_text(base, base.model, "1+1=", 3, SamplingConfig())]) > 0
    with pytest.raises(LabError, match="has no token that ends an answer"):
        require_end(base.tokenizer, base.name)


def test_a_tokenizer_without_its_vocabulary_is_refused(base_folder: Folder) -> None:
    folder = base_folder("qwen2")
    (folder / "tokenizer.json").unlink()
    base = opened(folder)
    with pytest.raises(LabError, match=r"makes no token of any letter: copy the tokenizer\.json"):
        continue_text(base, base.model, "the cat", 3, SamplingConfig())


def test_a_gpt2_has_no_layers_to_quantise_or_adapt(gpt2: Path) -> None:
    base = opened(gpt2)
    for refused in (
        lambda: opened(gpt2, FourBit()),
        lambda: require_linear_layers(base.model, base.name),
    ):
        with pytest.raises(LabError, match=f"`llmlab import {gpt2}`"):
            refused()


def test_a_gpt2_writes_text_all_the_same(gpt2: Path) -> None:
    base = opened(gpt2)
    pieces = continue_text(base, base.model, "the cat", 3, SamplingConfig(0))
    assert len("".join(pieces)) > 0


@pytest.fixture
def gpt2(base_folder: Folder) -> Path:
    """The folder of a tiny GPT-2 as `transformers` has it."""
    folder = base_folder("llama")
    shape = {"vocab_size": 300, "n_positions": 16, "n_embd": 32, "n_layer": 1, "n_head": 2}
    GPT2LMHeadModel(GPT2Config(**shape)).save_pretrained(folder)
    return folder


def test_a_model_that_is_quantised_already_is_refused(base_folder: Folder) -> None:
    folder = base_folder("llama")
    change_json(folder / "config.json", quantization_config={"load_in_4bit": True})
    with pytest.raises(LabError, match="are quantised already: name the model that they were"):
        opened(folder)


def test_a_model_that_says_it_is_not_quantised_is_opened(base_folder: Folder) -> None:
    folder = base_folder("llama")
    change_json(folder / "config.json", quantization_config=None)
    assert opened(folder).model.inner.config.model_type == "llama"


@pytest.mark.parametrize(
    ("config", "limit", "context"),
    [
        (MptConfig(max_seq_len=24), 100, 24),
        (MptConfig(max_seq_len=24), 20, 20),
        (GPT2Config(n_positions=16), 100, 16),
        (XLNetConfig(), 100, 100),  # without a limit of its own
    ],
)
def test_the_context_is_the_shorter_of_what_model_and_tokenizer_have(
    made: Folder, config: PretrainedConfig, limit: int, context: int
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(made("llama"), model_max_length=limit)
    assert context_of(config, tokenizer) == context


def test_a_model_is_written_in_the_precision_that_it_came_in(
    base_folder: Folder, tmp_path: Path
) -> None:
    folder = base_folder("qwen2")
    stored = load_file(folder / "model.safetensors")
    halved = {name: tensor.bfloat16() for name, tensor in stored.items()}
    halved["model.norm.weight"] = halved["model.norm.weight"].float()  # as some models have it
    save_file(halved, folder / "model.safetensors", metadata={"format": "pt"})
    base = opened(folder)
    base.write(base.model, tmp_path / "written")
    written = load_file(tmp_path / "written" / "model.safetensors")
    assert {name: tensor.dtype for name, tensor in written.items()} == {
        name: tensor.dtype for name, tensor in halved.items()
    }
    assert all(torch.equal(written[name], tensor) for name, tensor in halved.items())
    config = json.loads((tmp_path / "written" / "config.json").read_text())
    assert config["dtype"] == "bfloat16"
