import json
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from llmlab.gpt.configs import PRESETS
from llmlab.gpt.formats.hugging_face import export_gpt2, load_gpt2
from llmlab.gpt.generation import SamplingConfig, generate
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.text.text_tokenizers import END_OF_TEXT, TextTokenizer, characters, train_bpe
from llmlab.method.errors import LabError

SHAPES = [GPTConfig(60, 16, 48, 3, 4, dropout=0.1), PRESETS["micro"].shape]
TEXT = "the cat sat on the mat, café 猫"


def scatter(model: nn.Module) -> None:
    """Random values for every weight, biases and norms too."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


def new_model(shape: GPTConfig) -> GPT:
    model = GPT(shape)
    scatter(model)
    return model.eval()


def gpt2_folder(folder: Path, **settings: object) -> Path:
    """A folder with a small random GPT-2, made by transformers."""
    small = {"vocab_size": 60, "n_positions": 16, "n_embd": 48, "n_layer": 3, "n_head": 4}
    theirs = GPT2LMHeadModel(GPT2Config(**small | settings))
    scatter(theirs)
    theirs.save_pretrained(folder)
    return folder


def largest_difference(ours: GPT, theirs: nn.Module) -> float:
    """Between the float32 logits of both on random tokens of the whole context."""
    shape = ours.config
    tokens_BT = torch.randint(shape.vocab_size, (3, shape.context))
    with torch.inference_mode():
        difference_BTV: Tensor = ours.eval()(tokens_BT) - theirs.eval()(tokens_BT).logits
    return difference_BTV.abs().max().item()


@pytest.mark.parametrize("activation", ["gelu_new", "gelu_pytorch_tanh"])
def test_a_loaded_gpt2_gives_its_logits(tmp_path: Path, activation: str) -> None:
    folder = gpt2_folder(tmp_path, activation_function=activation, resid_pdrop=0.2)
    ours = load_gpt2(folder)
    assert ours.config == GPTConfig(60, 16, 48, 3, 4, dropout=0.2)
    assert ours.head.weight is ours.token_embedding.weight
    assert largest_difference(ours, GPT2LMHeadModel.from_pretrained(folder)) < 1e-4


def test_a_gpt2_in_half_precision_is_loaded_in_float32(tmp_path: Path) -> None:
    GPT2LMHeadModel.from_pretrained(gpt2_folder(tmp_path / "full")).half().save_pretrained(
        tmp_path / "half"
    )
    assert {x.dtype for x in load_gpt2(tmp_path / "half").parameters()} == {torch.float32}


@pytest.mark.parametrize("shape", SHAPES, ids=["odd", "micro"])
def test_an_exported_model_gives_our_logits(tmp_path: Path, shape: GPTConfig) -> None:
    model = new_model(shape)
    export_gpt2(model, tmp_path / "export")
    for theirs in (AutoModelForCausalLM, GPT2LMHeadModel):
        assert largest_difference(model, theirs.from_pretrained(tmp_path / "export")) < 1e-4
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_there_and_back_changes_nothing(tmp_path: Path) -> None:
    model = new_model(SHAPES[0])
    export_gpt2(model, tmp_path)
    back = load_gpt2(tmp_path)
    assert back.config == model.config
    weights = back.state_dict()
    assert all(torch.equal(weights[name], x) for name, x in model.state_dict().items())


@pytest.mark.parametrize(
    "tokenizer", [train_bpe([TEXT] * 3, 300), characters([TEXT])], ids=["bpe", "characters"]
)
def test_an_exported_tokenizer_gives_our_ids_and_text(
    tmp_path: Path, tokenizer: TextTokenizer
) -> None:
    model = new_model(GPTConfig(tokenizer.vocab_size, 32, 48, 2, 4))
    export_gpt2(model, tmp_path, tokenizer)
    ids = tokenizer.encode(TEXT)
    for kind in (AutoTokenizer, PreTrainedTokenizerFast):
        theirs = kind.from_pretrained(tmp_path)
        assert theirs(TEXT)["input_ids"] == ids
        assert theirs.decode(ids) == TEXT
        assert theirs.eos_token == END_OF_TEXT
        assert theirs.eos_token_id == tokenizer.end_of_text
        assert theirs.model_max_length == 32


def test_both_generate_the_same_text(tmp_path: Path) -> None:
    model = new_model(SHAPES[0])
    export_gpt2(model, tmp_path)
    theirs = GPT2LMHeadModel.from_pretrained(tmp_path)
    written = theirs.generate(
        torch.tensor([[5, 6]]), max_new_tokens=14, do_sample=False, pad_token_id=0
    )
    assert written[0, 2:].tolist() == list(generate(model, [5, 6], 14, SamplingConfig(0)))


def test_an_export_replaces_an_earlier_one_whole(tmp_path: Path) -> None:
    tokenizer = characters([TEXT])
    export_gpt2(new_model(GPTConfig(tokenizer.vocab_size, 16, 48, 1, 4)), tmp_path, tokenizer)
    assert (tmp_path / "tokenizer.json").exists()
    export_gpt2(new_model(SHAPES[0]), tmp_path)
    assert load_gpt2(tmp_path).config == SHAPES[0]
    assert not (tmp_path / "tokenizer.json").exists()


def test_a_full_disk_leaves_the_earlier_export(tmp_path: Path) -> None:
    export_gpt2(new_model(SHAPES[0]), tmp_path / "export")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(LabError, match=r"cannot write .*export"):
            export_gpt2(new_model(SHAPES[1]), tmp_path / "export")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert load_gpt2(tmp_path / "export").config == SHAPES[0]
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    export_gpt2(new_model(SHAPES[0]), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    before = load_file(tmp_path / "model.safetensors")
    with pytest.raises(LabError, match=r"holds notes\.txt, which no export writes"):
        export_gpt2(GPT(SHAPES[0]), tmp_path)
    after = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_file_is_no_folder_to_export_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LabError, match="is a file"):
        export_gpt2(GPT(SHAPES[0]), tmp_path / "file")
    with pytest.raises(LabError, match="cannot write"):
        export_gpt2(GPT(SHAPES[0]), tmp_path / "file" / "export")


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"activation_function": "relu"}, "activation_function relu"),
        ({"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon 1e-06"),
        ({"add_cross_attention": True}, "add_cross_attention True"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx True"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings False"),
        ({"model_type": "gpt_neo"}, "model_type gpt_neo"),
        ({"n_inner": 100}, "n_inner 100"),
    ],
)
def test_a_model_that_computes_something_else_is_refused(
    tmp_path: Path, settings: Mapping[str, object], complaint: str
) -> None:
    folder = gpt2_folder(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | settings))
    with pytest.raises(LabError, match=f"has {complaint}, and our model"):
        load_gpt2(folder)


def test_weights_that_are_missing_are_named(tmp_path: Path) -> None:
    path = gpt2_folder(tmp_path) / "model.safetensors"
    weights = load_file(path)
    del weights["transformer.h.1.mlp.c_fc.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(LabError, match=r"lack transformer\.h\.1\.mlp\.c_fc\.weight"):
        load_gpt2(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="holds no GPT-2 that can be read"):
        load_gpt2(tmp_path)


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = gpt2_folder(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(LabError, match="holds no GPT-2 that can be read"):
        load_gpt2(tmp_path)


def test_a_name_that_the_hub_does_not_give_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(LabError, match=r'no folder "nobody/nothing".*name a folder'):
        load_gpt2("nobody/nothing")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(LabError, match=r"llmlab\[hub\]"):
        load_gpt2(tmp_path)
    with pytest.raises(LabError, match=r"llmlab\[hub\]"):
        export_gpt2(GPT(SHAPES[0]), tmp_path / "export")
