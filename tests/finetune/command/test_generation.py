"""`llmlab generate` and `llmlab merge` on what fine-tuning starts from and makes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from calling import LlmLab, Result
from torch import nn

from llmlab.finetune.command.generation import continue_text, prompt_ids
from llmlab.finetune.model.adapters import lora_layers, save_adapter
from llmlab.finetune.model.catalog import open_pretrained
from llmlab.finetune.model.codecs import INCOMPLETE, HubCodec, decode_stream
from llmlab.finetune.model.lora import LoraSpec, add_lora
from llmlab.finetune.model.qlora import FourBit
from llmlab.finetune.tasks.skills import END
from llmlab.gpt.generation import SamplingConfig
from tests.finetune.tokenizers import TOKENIZERS

SPEC = LoraSpec(rank=4, alpha=8)
GREEDY = SamplingConfig(temperature=0)
FORMS = ["skilled", "run", "qwen2", "llama"]
Folder = Callable[[str], Path]


@pytest.fixture
def llmlab(llmlab: LlmLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LlmLab:
    """Runs `llmlab` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return llmlab


def save(folder: Path, base_folder: Path, four_bit: FourBit | None = None) -> str:
    """An adapter that changes what the base says; what it then says after "the cat"."""
    base = open_pretrained(str(base_folder), four_bit=four_bit, device=torch.device("cpu"))
    model = add_lora(base.model, SPEC, seed=0)
    for _, layer in lora_layers(model):
        nn.init.normal_(layer.b_RO, std=0.3)
    save_adapter(model, SPEC, base, folder)
    model.eval()
    base_says = continue_text(base, model, "the cat", 8, GREEDY, cached=False)
    return "the cat" + "".join(base_says) + "\n"


def logits(model: str) -> torch.Tensor:
    """What a model answers to "the cat", [1, T, V].

    Two models can write the same text: bytes that are no UTF-8 all read as one sign.
    """
    base = open_pretrained(model, device=torch.device("cpu"))
    base.model.eval()
    with torch.no_grad():
        return base.model(torch.tensor([base.tokenizer.encode_prompt("the cat")]))


@pytest.mark.parametrize("form", FORMS)
def test_the_part_of_a_prompt_beyond_the_context_is_named(
    llmlab, base_folder: Folder, form: str
) -> None:
    base = open_pretrained(str(base_folder(form)), device=torch.device("cpu"))
    prompt = "the cat " * 100
    n_tokens = len(base.tokenizer.encode_prompt(prompt))
    said = llmlab("generate", form, "--prompt", prompt, "--tokens", "1")
    assert said.code == 0
    assert said.err.startswith(f"The model reads {base.context} tokens at most: the first ")
    assert f" of the {n_tokens} in the prompt are left out.\n" in said.err
    assert llmlab("generate", form, "--prompt", "the", "--tokens", "1").err == ""


@pytest.mark.parametrize("form", FORMS)
def test_an_adapter_is_merged_and_what_comes_of_it_writes_the_same(
    llmlab, base_folder: Folder, form: str
) -> None:
    said = save(Path("tuned/adapter"), base_folder(form))
    merged = llmlab("merge", "tuned", "--out", "merged")
    assert (merged.code, merged.err) == (0, "")
    assert merged.out == "Next: `llmlab generate merged` or `llmlab finetune --base merged`.\n"
    greedy = ("--prompt", "the cat", "--tokens", "8", "--temperature", "0")
    for model in ("tuned", "tuned/adapter", "merged"):
        assert llmlab("generate", model, *greedy) == Result(0, said, "")
    assert not torch.equal(logits("merged"), logits(form))


def test_merging_says_that_the_base_was_held_in_four_bits(llmlab, base_folder: Folder) -> None:
    save(Path("adapter"), base_folder("skilled"), FourBit())
    merged = llmlab("merge", "adapter", "--out", "merged")
    assert merged.out.startswith("The base model was in 4 bits: the adapter is merged into its")


def test_a_base_that_was_moved_is_named(llmlab, base_folder: Folder) -> None:
    folder = base_folder("skilled")
    save(Path("adapter"), folder)
    folder.rename("moved")
    assert f"there is no base '{folder}'" in llmlab("merge", "adapter", "--out", "merged").err
    assert llmlab("merge", "adapter", "--out", "merged", "--base", "moved").code == 0


def test_an_adapter_that_names_no_base_needs_one(llmlab, base_folder: Folder) -> None:
    save(Path("adapter"), base_folder("skilled"))
    Path("adapter/llmlab.json").unlink()
    path = Path("adapter/adapter_config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": None}))
    refused = llmlab("merge", "adapter", "--out", "merged")
    assert refused.err.endswith("does not name its base: name it with --base.\n")
    assert llmlab("merge", "adapter", "--out", "merged", "--base", "skilled").code == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nothing", "--out", "merged"), "there is no folder nothing: name"),
        (("run", "--out", "merged"), "run holds no adapter: name"),
        (("adapter", "--out", "skilled"), "skilled exists already"),
        (("adapter", "--out", "merged", "--base", "run"), "differ from those of run"),
        (("adapter", "--out", "merged", "--base", "nowhere"), "there is no base 'nowhere'"),
    ],
)
def test_what_cannot_be_merged_is_one_sentence_and_nothing_is_written(
    llmlab, base_folder: Folder, arguments: tuple[str, ...], reason: str
) -> None:
    save(Path("adapter"), base_folder("skilled"))
    base_folder("run")
    before = sorted(Path().rglob("*"))
    refused = llmlab("merge", *arguments)
    assert refused.code == 1
    assert refused.err.startswith("error: ")
    assert reason in refused.err
    assert refused.err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("form", FORMS)
def test_a_text_ends_where_an_answer_does(made: Folder, form: str) -> None:
    base = open_pretrained(str(made(form)), device=torch.device("cpu"))
    model = _always(base.tokenizer.end, base.model)
    assert "".join(continue_text(base, model, "the cat", 5, GREEDY)) == ""


def test_generation_ends_where_a_turn_of_the_template_does() -> None:
    tokenizer = TOKENIZERS["gemma"]()
    codec = HubCodec(tokenizer, frozenset([0]))
    ends = tokenizer.convert_tokens_to_ids(["<unk>", "<eos>", "<end_of_turn>"])
    assert codec.stops == set(ends)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_text_goes_on_with_the_spaces_that_it_has(name: str) -> None:
    codec = HubCodec(TOKENIZERS[name]())
    ids = codec.encode_prompt("hello world yo caf\u00e9 \U0001f600 fine")
    for cut in range(1, len(ids)):
        before = codec.decode(ids[:cut])
        if not before.endswith(INCOMPLETE):  # a prompt is whole characters
            after = "".join(decode_stream(codec.decode, ids[:cut], ids[cut:]))
            assert (before + after).endswith("hello world yo caf\u00e9 \U0001f600 fine")


@pytest.mark.parametrize("name", sorted(TOKENIZERS.keys() - {"gpt2"}))  # which has no template
def test_a_conversation_begins_as_its_template_begins_it(name: str) -> None:
    tokenizer = TOKENIZERS[name]()
    asked = [{"role": "user", "content": "hello world"}]
    form = {"add_generation_prompt": True, "return_dict": False}
    text = tokenizer.apply_chat_template(asked, tokenize=False, **form)
    codec = HubCodec(tokenizer)
    assert prompt_ids(codec, text) == tokenizer.apply_chat_template(asked, **form)
    assert prompt_ids(codec, "hello world") == codec.encode_prompt("hello world")


def test_a_text_may_outgrow_the_context(made: Folder) -> None:
    base = open_pretrained(str(made("llama")), device=torch.device("cpu"))
    model = _always(base.tokenizer.encode_prompt("a")[0], base.model)
    assert "".join(continue_text(base, model, "", 70, GREEDY)) == "a" * 70


def test_a_prompt_that_cannot_be_spelled_is_refused(llmlab, base_folder: Folder) -> None:
    base_folder("skilled")
    refused = llmlab("generate", "skilled", "--prompt", "caf\u00e9")
    assert refused.code == 1
    assert refused.err.startswith("error: the character 'é' is not in the tokenizer's alphabet")
    assert END not in refused.err.rstrip("\n")


def _always(token: int, model: nn.Module) -> nn.Module:
    """The model with an output layer that says nothing but `token`."""
    head = model.head if hasattr(model, "head") else model.inner.lm_head
    head.bias = nn.Parameter(torch.zeros(head.out_features))
    head.bias.data[token] = 1e4
    return model


def test_what_is_not_there_cannot_write(llmlab, base_folder: Folder) -> None:
    base_folder("skilled")
    refused = llmlab("generate", "skiled")
    assert refused.code == 1
    assert "there is no run or model 'skiled' (did you mean 'skilled'?)" in refused.err
