from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from llmlab.finetune.model.adapters import lora_layers, save_adapter
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.merging import merge_adapter, open_merged, save_model, write_merged
from llmlab.finetune.model.qlora import FourBit
from llmlab.method.errors import LabError
from tests.finetune.bases import FORMS, SPEC, Folder, adapted, logits, opened

# Merging


@pytest.mark.parametrize("four_bit", [None, FourBit()], ids=["whole", "four bits"])
@pytest.mark.parametrize("form", FORMS)
def test_a_merged_model_agrees_and_is_opened_again(
    made: Folder, tmp_path: Path, form: str, four_bit: FourBit | None
) -> None:
    base = opened(made(form), four_bit)
    expected = logits(adapted(base))
    save_adapter(base.model, SPEC, base, tmp_path / "adapter")
    same, merged = open_merged(tmp_path / "adapter")
    torch.testing.assert_close(logits(merged), expected, rtol=0, atol=1e-4)
    assert not list(lora_layers(merged))
    save_model(merged, same, tmp_path / form)
    again = opened(tmp_path / form)
    torch.testing.assert_close(logits(again.model), expected, rtol=0, atol=1e-4)
    assert again.tokenizer.encode_prompt("the cat") == base.tokenizer.encode_prompt("the cat")
    assert again.identity != base.identity


@pytest.mark.parametrize("form", FORMS)
def test_an_adapter_too_large_for_the_weights_is_refused(made: Folder, form: str) -> None:
    model = adapted(opened(made(form)))
    _, layer = next(lora_layers(model))
    layer.a_RI.data.fill_(1e30)
    layer.b_RO.data.fill_(1e30)
    with pytest.raises(LabError, match=r"holds a number that is not finite.*lower learning rate"):
        merge_adapter(model)


def test_only_plain_layers_of_whole_weights_are_left(made: Folder) -> None:
    base = opened(made("llama"), FourBit())
    merged = merge_adapter(adapted(base, LoraSpec(2, 4, target_modules=("q_proj",))))
    kinds = {type(m) for m in merged.modules() if isinstance(m, nn.Linear)}
    assert kinds == {nn.Linear}


def test_a_shared_output_layer_of_ours_cannot_be_merged_alone(made: Folder) -> None:
    model = adapted(opened(made("skilled")), LoraSpec(2, 4, target_modules=("head",)))
    before = logits(model)
    with pytest.raises(LabError, match=r"head shares its weight with .*: train one without"):
        merge_adapter(model)
    assert torch.equal(logits(model), before)


def test_a_shared_output_layer_of_the_hub_is_given_its_own_weight(
    made: Folder, tmp_path: Path
) -> None:
    base, spec = opened(made("qwen2")), LoraSpec(2, 4, target_modules=("lm_head",))
    expected = logits(adapted(base, spec))
    save_adapter(base.model, spec, base, tmp_path / "adapter")
    write_merged(tmp_path / "adapter", tmp_path / "qwen2")
    torch.testing.assert_close(
        logits(opened(tmp_path / "qwen2").model), expected, rtol=0, atol=1e-4
    )


def test_an_output_layer_of_its_own_can_be_merged(made: Folder) -> None:
    model = adapted(opened(made("llama")), LoraSpec(2, 4, target_modules=("lm_head",)))
    before = logits(model)
    torch.testing.assert_close(logits(merge_adapter(model)), before, rtol=0, atol=1e-4)


def test_a_folder_that_holds_something_is_never_replaced(made: Folder, tmp_path: Path) -> None:
    base = opened(made("skilled"))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(LabError, match="exists already"):
        save_model(base.model, base, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_another_process_filled_meanwhile_is_kept(
    made: Folder, tmp_path: Path
) -> None:
    base, target = opened(made("run")), tmp_path / "merged"

    def write(model: nn.Module, folder: Path) -> None:
        base.write(model, folder)
        target.mkdir()
        (target / "theirs").write_text("")

    with pytest.raises(LabError, match="exists already: name a new"):
        save_model(base.model, replace(base, write=write), target)
    assert [path.name for path in tmp_path.rglob("*")] == ["merged", "theirs"]


def test_the_files_of_a_tokenizer_are_kept_as_they_are(base_folder: Folder, tmp_path: Path) -> None:
    folder = base_folder("llama")
    (folder / "tokenizer.model").write_bytes(b"for llama.cpp")
    base = opened(folder)
    save_model(base.model, base, tmp_path / "merged")
    names = ("tokenizer.model", "tokenizer.json", "tokenizer_config.json")
    assert all(
        (tmp_path / "merged" / name).read_bytes() == (folder / name).read_bytes() for name in names
    )


def test_nothing_half_written_is_left(made: Folder, tmp_path: Path) -> None:
    base = opened(made("run"))
    with pytest.raises(KeyError):
        save_model(nn.Linear(2, 2), opened(made("skilled")), tmp_path / "merged")
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="cannot write"):
        save_model(base.model, base, tmp_path / "file" / "merged")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
