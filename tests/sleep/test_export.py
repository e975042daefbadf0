"""Exported models: llama.cpp reads their tokens and answers as they do."""

import copy
import random
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import requests
import torch
from sleep_tokens import TOKENS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from llmlab.finetune.model.lora import LoraSpec
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.text.text_tokenizers import BYTE_LETTERS, TextTokenizer, characters, train_bpe
from llmlab.method.errors import LabError
from llmlab.sleep.coder.coder import Coder, new_coder, save_coder
from llmlab.sleep.coder.tokens import CodeTokens
from llmlab.sleep.command.app import app
from llmlab.sleep.export import (
    MODEL,
    MODELFILE,
    PROMPT,
    coder_vocabulary,
    example_task,
    export_coder,
    export_gpt,
    marked,
    text_vocabulary,
)
from llmlab.sleep.night.adapters import adapter_of, deltas, with_deltas

pytest.importorskip("gguf", reason="the package gguf is not installed")

TEXT = "def f(x):\n    return x + 1  # café, it's 12 😀\n\n" * 5
TEXTS = (
    TEXT,
    " Two  spaces,\r\n\ttabs \x00\n\n ",
    "<0x61> <unk> [PAD] \\n \\x61 ÿ a¦b",
    "日本語 don't WE'LL 123 4567 --- !!! \u00a0\u2003x \u0301e",
)
TOKENIZERS = {"bpe": train_bpe([TEXT], 300), "characters": characters([TEXT])}
ANSWER = 12
NEAR = 0.02
"""Logits that a rounding may put in either order; those of random weights differ by one or so."""


class LlamaCpp:
    """llama.cpp with a file of ours; keys and values in full precision, as we have them."""

    def __init__(self, folder: Path) -> None:
        xllamacpp = pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
        params = xllamacpp.CommonParams()
        params.model.path = str(folder / MODEL)
        params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 64, 1, 1
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.warmup, params.verbosity = False, 0
        self.server = xllamacpp.Server(params)

    def ask(self, path: str, **content: object) -> list[int]:
        """The tokens that a path of the server gives for this content."""
        return requests.post(self.server.listening_address + path, json=content).json()["tokens"]

    def tokens(self, text: str) -> list[int]:
        return self.ask("/tokenize", content=text, parse_special=False)

    def answer(self, prompt: str | list[int]) -> list[int]:
        """The most likely tokens after a prompt."""
        asked = {"prompt": prompt, "n_predict": ANSWER, "temperature": 0, "return_tokens": True}
        return self.ask("/completion", **asked)


@pytest.fixture(scope="module")
def coder() -> Coder:
    coder = new_coder("python", TOKENS, GPTConfig(len(TOKENS.names), 64, 16, 2, 2), seed=0)
    scatter(coder.model)
    return coder


def scatter(model: GPT) -> None:
    """What is trained at random, biases and norms as well, large enough to prefer some tokens."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)


def shortfall(model: GPT, ids: list[int], answer: list[int]) -> float:
    """How far the logits of an answer's tokens lie below the largest ones, at most."""
    with torch.inference_mode():
        logits_TV = model.eval()(torch.tensor([ids + answer]))[0, len(ids) - 1 : -1]
    said_T = logits_TV[torch.arange(len(answer)), answer]
    return float((logits_TV.amax(1) - said_T).max())


def test_llama_cpp_answers_as_the_coder_does_with_the_adapter_of_a_night(
    coder: Coder, tmp_path: Path
) -> None:
    adapted = LoraSpec(2, 4.0).adapt(copy.deepcopy(coder.model), 0)
    scatter(adapted)
    merged = with_deltas(coder.model, deltas(adapter_of(adapted)))
    export_coder(replace(coder, model=merged), tmp_path)
    ids = coder.tokens.prompt(example_task("python"))
    prompt = (tmp_path / PROMPT).read_text(encoding="utf-8")
    assert shortfall(adapted, ids, LlamaCpp(tmp_path).answer(prompt)) < NEAR


def test_llama_cpp_reads_the_coders_tokens_in_any_order(coder: Coder, tmp_path: Path) -> None:
    export_coder(coder, tmp_path)
    llama = LlamaCpp(tmp_path)
    draw = random.Random(0)
    spoken = [index for index in range(len(coder.tokens.names)) if index != coder.tokens.end]
    for ids in (spoken, draw.choices(spoken, k=2000)):
        assert llama.tokens(marked(coder.tokens, ids)) == ids


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_llama_cpp_reads_and_answers_as_a_trained_gpt(kind: str, tmp_path: Path) -> None:
    tokenizer = TOKENIZERS[kind]
    model = GPT(GPTConfig(tokenizer.vocab_size, 64, 16, 2, 2))
    scatter(model)
    export_gpt(model, tokenizer, tmp_path)
    llama = LlamaCpp(tmp_path)
    assert [llama.tokens(text) for text in TEXTS] == tokenizer.encode_many(TEXTS)
    ids = tokenizer.encode("def f(")
    assert shortfall(model, ids, llama.answer(ids)) < NEAR


def test_a_token_that_holds_the_mark_is_refused() -> None:
    with pytest.raises(LabError, match="token 'a¦b' holds ¦"):
        coder_vocabulary(CodeTokens(("<end>", "a¦b")))


def test_a_tokenizer_that_gguf_has_no_form_for_is_refused() -> None:
    core = Tokenizer(models.BPE({letter: n for n, letter in enumerate(BYTE_LETTERS)}, []))
    words = pre_tokenizers.Split(" ", "isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.pre_tokenizer = pre_tokenizers.Sequence([words, bytes_])
    core.decoder = decoders.ByteLevel()
    with pytest.raises(LabError, match="GGUF has no form for this tokenizer"):
        text_vocabulary(TextTokenizer(core))


def test_the_modelfile_names_the_model_its_context_and_its_longest_answer(
    coder: Coder, tmp_path: Path
) -> None:
    export_coder(coder, tmp_path)
    lines = (tmp_path / MODELFILE).read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"FROM ./{MODEL}"
    assert "PARAMETER num_ctx 64" in lines
    assert "PARAMETER num_predict 40" in lines


def test_without_the_package_the_command_to_install_it_is_told(
    coder: Coder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(LabError, match=re.escape('pip install "llmlab[export]"')):
        export_coder(coder, tmp_path)
    assert list(tmp_path.iterdir()) == []


def export(*arguments: object) -> None:
    """`llmlab sleep export` as a shell calls it."""
    app(["export", *map(str, arguments)], standalone_mode=False)


def test_a_coders_folder_is_exported(
    coder: Coder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_coder(coder, tmp_path / "coder")
    export(tmp_path / "coder", "--out", tmp_path / "gguf")
    assert {path.name for path in (tmp_path / "gguf").iterdir()} == {MODEL, MODELFILE, PROMPT}
    assert "ollama create coder -f" in capsys.readouterr().out


def test_a_model_of_the_hub_is_for_the_script_of_llama_cpp(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for model in ("hf:org/model", tmp_path):
        with pytest.raises(LabError, match="convert_hf_to_gguf"):
            export(model)


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="holds no"):
        export(tmp_path)
