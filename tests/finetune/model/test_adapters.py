import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn

from llmlab.finetune.model.adapters import adapter_origin, load_adapter, lora_layers, save_adapter
from llmlab.finetune.model.base_model import new_base_model, save_base_model
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.pretrained import Pretrained
from llmlab.finetune.model.qlora import FourBit, quantise
from llmlab.method.errors import LabError
from tests.finetune.bases import FORMS, SPEC, Folder, adapted, change_json, logits, opened


def saved(folder: Path, base_folder: Path, spec: LoraSpec = SPEC) -> Path:
    """The folder of an adapter for the base in `base_folder`."""
    base = opened(base_folder)
    save_adapter(adapted(base, spec), spec, base, folder)
    return folder


def bare(base: Pretrained) -> nn.Module:
    """The model as `peft` wants it."""
    return getattr(base.model, "inner", base.model)


@pytest.mark.parametrize("form", FORMS)
def test_an_adapter_comes_back_the_same(made: Folder, tmp_path: Path, form: str) -> None:
    base = opened(made(form))
    plain = logits(base.model)
    expected = logits(adapted(base))
    save_adapter(base.model, SPEC, base, tmp_path / "adapter")
    assert torch.equal(logits(load_adapter(tmp_path / "adapter", opened(made(form)))), expected)
    assert (expected - plain).abs().max() > 0.05


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "spec",
    [
        LoraSpec(4, 8),
        LoraSpec(4, 8, "rslora"),
        LoraSpec(2, 4, target_modules=("up", "down", "up_proj", "q_proj")),
    ],
    ids=["alpha", "rslora", "some layers"],
)
def test_plain_peft_loads_our_adapter(
    made: Folder, tmp_path: Path, form: str, spec: LoraSpec
) -> None:
    base = opened(made(form))
    if isinstance(spec.target_modules, tuple):
        leaves = {path.rpartition(".")[2] for path, _ in base.model.named_modules()}
        spec = LoraSpec(2, 4, target_modules=tuple(leaves.intersection(spec.target_modules)))
    expected = logits(adapted(base, spec))
    save_adapter(base.model, spec, base, tmp_path)
    theirs = PeftModel.from_pretrained(bare(opened(made(form))), tmp_path)
    torch.testing.assert_close(logits(theirs), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", ["skilled", "llama"])
@pytest.mark.parametrize("rslora", [True, False])
def test_an_adapter_of_peft_is_loaded(
    made: Folder, tmp_path: Path, form: str, rslora: bool
) -> None:
    targets = "all-linear" if form == "llama" else ["qkv", "down"]
    config = LoraConfig(r=3, lora_alpha=5, use_rslora=rslora, target_modules=targets)
    if form == "llama":
        config.task_type = "CAUSAL_LM"
    theirs = get_peft_model(bare(opened(made(form))), config)
    for name, parameter in theirs.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.3)
    theirs.save_pretrained(tmp_path)
    ours = load_adapter(tmp_path, opened(made(form)))
    torch.testing.assert_close(logits(ours), logits(theirs), rtol=0, atol=1e-5)


def test_an_adapter_of_some_layers_is_loaded_as_peft_loads_it(made: Folder, tmp_path: Path) -> None:
    config = LoraConfig(r=2, target_modules=["q_proj", "up_proj"], layers_to_transform=[1])
    theirs = get_peft_model(bare(opened(made("llama"))), config)
    for name, parameter in theirs.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.3)
    theirs.save_pretrained(tmp_path)
    ours = load_adapter(tmp_path, opened(made("llama")))
    torch.testing.assert_close(logits(ours), logits(theirs), rtol=0, atol=1e-5)


def test_a_loaded_adapter_can_be_trained_on_a_frozen_base(made: Folder, tmp_path: Path) -> None:
    model = load_adapter(saved(tmp_path, made("skilled")), opened(made("skilled")))
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {
        f"{path}.{part}" for path, _ in lora_layers(model) for part in ("a_RI", "b_RO")
    }


@pytest.mark.parametrize("four_bit", [None, FourBit(True), FourBit(False, 128)])
def test_an_adapter_remembers_its_base(
    made: Folder, tmp_path: Path, four_bit: FourBit | None
) -> None:
    base = opened(made("skilled"))
    if four_bit:
        quantise(base.model, four_bit)
    save_adapter(adapted(base), SPEC, base, tmp_path)
    origin = adapter_origin(tmp_path)
    assert (origin.base, origin.identity, origin.four_bit) == (base.name, base.identity, four_bit)


# Refusals


@pytest.mark.parametrize("layer", ["lm_head", "embed_tokens"])
def test_an_adapter_of_output_or_embedding_goes_through_peft(
    made: Folder, tmp_path: Path, layer: str
) -> None:
    config = LoraConfig(r=2, target_modules=["q_proj", layer], task_type="CAUSAL_LM")
    get_peft_model(bare(opened(made("llama"))), config).save_pretrained(tmp_path)
    with pytest.raises(LabError, match=r"merge it into its base with peft, and name the folder"):
        load_adapter(tmp_path, opened(made("llama")))


def test_an_adapter_for_another_base_is_refused(made: Folder, tmp_path: Path) -> None:
    adapter = saved(tmp_path / "adapter", made("skilled"))
    save_base_model(
        new_base_model(d_model=32, n_layers=2, n_heads=2, context=32, seed=9), tmp_path / "other"
    )
    with pytest.raises(LabError, match=f"was made for the base {made('skilled')}, whose weights"):
        load_adapter(adapter, opened(tmp_path / "other"))


def test_a_base_with_another_tokenizer_is_refused(made: Folder, tmp_path: Path) -> None:
    adapter = saved(tmp_path / "adapter", made("llama"))
    other = shutil.copytree(made("llama"), tmp_path / "llama")
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(LabError, match=r"whose tokenizer is not that of .*: put that tokenizer"):
        load_adapter(adapter, opened(other))


def test_an_older_adapter_of_ours_says_nothing_of_the_tokenizer(
    made: Folder, tmp_path: Path
) -> None:
    adapter = saved(tmp_path, made("llama"))
    about = json.loads((adapter / "llmlab.json").read_text())
    del about["tokenizer"]
    (adapter / "llmlab.json").write_text(json.dumps(about))
    load_adapter(adapter, opened(made("llama")))


@pytest.mark.parametrize(
    ("d_model", "n_layers", "reason"),
    [
        (32, 1, "layer blocks.1.* does not have"),
        (48, 2, r"of shape \[\d+, 32\], and .* has \[\d+, 48\]"),
    ],
)
def test_an_adapter_of_another_shape_is_refused_and_nothing_is_changed(
    made: Folder, tmp_path: Path, d_model: int, n_layers: int, reason: str
) -> None:
    adapter = saved(tmp_path / "adapter", made("skilled"))
    (adapter / "llmlab.json").unlink()
    save_base_model(
        new_base_model(d_model, n_layers, n_heads=2, context=32, seed=9), tmp_path / "other"
    )
    base = opened(tmp_path / "other")
    with pytest.raises(LabError, match=reason):
        load_adapter(adapter, base)
    assert not list(lora_layers(base.model))


def test_a_base_takes_one_adapter(made: Folder, tmp_path: Path) -> None:
    base = opened(made("skilled"))
    load_adapter(saved(tmp_path, made("skilled")), base)
    with pytest.raises(LabError, match=r"has an adapter at blocks.0.attention.out already"):
        load_adapter(tmp_path, base)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_changed_or_missing_file_is_refused(made: Folder, tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, made("skilled")) / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(LabError, match=f"{name} is not the file that was saved"):
        load_adapter(tmp_path, opened(made("skilled")))
    path.unlink()
    with pytest.raises(LabError, match="holds no adapter"):
        load_adapter(tmp_path, opened(made("skilled")))


def test_weights_of_peft_that_were_cut_short_are_refused(made: Folder, tmp_path: Path) -> None:
    (saved(tmp_path, made("skilled")) / "llmlab.json").unlink()
    path = tmp_path / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(LabError, match=r"cannot be read .*cut short"):
        load_adapter(tmp_path, opened(made("skilled")))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"peft_type": "IA3"}, "of the kind 'IA3', and only LORA can be loaded"),
        ({"use_dora": True}, "has use_dora True, which llmlab does not support"),
        ({"use_bdlora": {"nblocks": 2}}, "has use_bdlora {'nblocks': 2}, which llmlab does not"),
        ({"use_something_newer": True}, "has use_something_newer True, which llmlab does not"),
        ({"bias": "all"}, "has bias 'all'"),
        ({"init_lora_weights": "pissa"}, "has init_lora_weights 'pissa'"),
        ({"r": 5}, "lacks a part of rank 5"),
        ({"r": 0}, "has r 0 .*greater than 0"),
        ({"lora_alpha": None}, "has lora_alpha None"),
        ({"rank_pattern": {"qkv": 8}}, "has rank_pattern {'qkv': 8}"),
        ({"layers_to_transform": [0]}, r"adapts blocks\.0\.\S+, a layer that .*do not choose"),
        ({"target_modules": ["up"]}, "adapts .*, a layer that target_modules in"),
        ({"exclude_modules": "blocks.0.*"}, r"adapts blocks\.0\..*do not choose"),
        ({"target_modules": "(", "layers_to_transform": 1}, "does not say which layers"),
    ],
)
def test_an_adapter_of_another_kind_is_refused(
    made: Folder, tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    (saved(tmp_path, made("skilled")) / "llmlab.json").unlink()
    change_json(tmp_path / "adapter_config.json", **changes)
    with pytest.raises(LabError, match=reason):
        load_adapter(tmp_path, opened(made("skilled")))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda t: t | {"head.weight": torch.ones(2)},
            "holds head.weight, which belongs to no LoRA",
        ),
        (lambda t: dict(list(t.items())[1:]), "lacks a part of rank 4 for the layer blocks.0"),
        (lambda t: {}, "adapts no layer"),
        (lambda t: {name: x * torch.nan for name, x in t.items()}, "not finite for the layer"),
    ],
)
def test_foreign_weights_are_refused(
    made: Folder, tmp_path: Path, change: Callable, reason: str
) -> None:
    (saved(tmp_path, made("skilled")) / "llmlab.json").unlink()
    path = tmp_path / "adapter_model.safetensors"
    save_file(change(load_file(path)), path)
    with pytest.raises(LabError, match=reason):
        load_adapter(tmp_path, opened(made("skilled")))


def test_weights_that_are_a_pickle_go_through_peft(made: Folder, tmp_path: Path) -> None:
    (saved(tmp_path, made("skilled")) / "llmlab.json").unlink()
    (tmp_path / "adapter_model.safetensors").rename(tmp_path / "adapter_model.bin")
    with pytest.raises(LabError, match=r"load adapter_model.bin with peft and save it again"):
        load_adapter(tmp_path, opened(made("skilled")))


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_configuration_that_is_none_is_refused(made: Folder, tmp_path: Path, text: str) -> None:
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(LabError, match=r"is not JSON|does not describe"):
        load_adapter(tmp_path, opened(made("skilled")))


def test_an_adapter_that_is_not_finite_is_not_saved(made: Folder, tmp_path: Path) -> None:
    base = opened(made("skilled"))
    model = adapted(base)
    model.blocks[1].mlp.up.b_RO.data[0, 0] = torch.nan
    with pytest.raises(LabError, match=r"blocks.1.mlp.up.lora_B.weight .* not finite"):
        save_adapter(model, SPEC, base, tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


def test_a_model_without_an_adapter_has_none_to_save(made: Folder, tmp_path: Path) -> None:
    base = opened(made("skilled"))
    with pytest.raises(LabError, match="no adapter to save"):
        save_adapter(base.model, SPEC, base, tmp_path)
