"""Tiny bases of every form, made once and copied for each test."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import nn

from llmlab.finetune.model.base_model import new_base_model, save_base_model
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.saved.checkpoints import save_checkpoint
from llmlab.gpt.text.text_tokenizers import train_bpe

SPECIAL = ["<pad>", "<|im_start|>", "<|im_end|>"]
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def scattered(model: nn.Module) -> nn.Module:
    """Random values for every weight, biases and norms too."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a base by its form, of those below; left as it is."""
    folders = {}
    makers = {
        "skilled": _skilled,
        "run": _run,
        "qwen2": _hub,
        "llama": _hub,
        "experts": _experts,
        "mamba2": _mamba2,
    }

    def folder(form: str) -> Path:
        if form not in folders:
            folders[form] = tmp_path_factory.mktemp("bases") / form
            makers[form](folders[form])
        return folders[form]

    return folder


@pytest.fixture
def held() -> Iterator[ExitStack]:
    """Holds what a test opens until the test ends."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def base_folder(made: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """As `made`, in a copy of its own for the test."""
    return lambda form: shutil.copytree(made(form), tmp_path / form)


def _skilled(folder: Path) -> None:
    save_base_model(
        scattered(new_base_model(d_model=32, n_layers=2, n_heads=2, context=32, seed=0)), folder
    )


def _run(folder: Path) -> None:
    tokenizer = train_bpe(["the cat sat on the mat, the cat sat", "1+1=2 user: assistant:"], 280)
    model = scattered(GPT(GPTConfig(tokenizer.vocab_size, 32, 32, 2, 2)))
    tokenizer.save(folder / "tokenizer.json")
    save_checkpoint(
        folder / "checkpoints",
        weights=model.state_dict(),
        training={"step": 3},
        shape=asdict(model.config),
        run={"seed": 0},
    )


def _hub(folder: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    shape = {
        "vocab_size": 300,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 64,
    }
    if folder.name == "qwen2":
        model = Qwen2ForCausalLM(Qwen2Config(**shape, tie_word_embeddings=True))
    else:
        model = LlamaForCausalLM(LlamaConfig(**shape))
    scattered(model).save_pretrained(folder)
    _save_hub_tokenizer(folder, CHATML if folder.name == "qwen2" else None)


def _experts(folder: Path) -> None:
    """A mixture of four experts, two for each token."""
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    shape = {"vocab_size": 300, "hidden_size": 32, "head_dim": 16, "max_position_embeddings": 64}
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
    experts = {"moe_intermediate_size": 16, "num_experts": 4, "num_experts_per_tok": 2}
    scattered(Qwen3MoeForCausalLM(Qwen3MoeConfig(**shape, **layers, **experts))).save_pretrained(
        folder
    )
    _save_hub_tokenizer(folder, None)


def _mamba2(folder: Path) -> None:
    from transformers import Mamba2Config, Mamba2ForCausalLM

    shape = {"vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 1, "state_size": 4}
    heads = {"num_heads": 8, "head_dim": 8, "n_groups": 1}
    scattered(Mamba2ForCausalLM(Mamba2Config(**shape, **heads))).save_pretrained(folder)
    _save_hub_tokenizer(folder, None)


def _save_hub_tokenizer(folder: Path, chat_template: str | None) -> None:
    """A tiny byte-level BPE as `transformers` keeps one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=280,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(["the cat sat on the mat, the cat sat on the hat"] * 3, trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<pad>",
        chat_template=chat_template,
    ).save_pretrained(folder)


@pytest.fixture
def sentences(tmp_path: Path) -> str:
    """A file of examples that every base can spell."""
    path = tmp_path / "sentences.jsonl"
    rows = [{"prompt": f"the cat {n % 3}", "response": f"sat on {n}"} for n in range(24)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)
