"""GPT-2 weights both ways: from the Hugging Face hub into our model, and ours into a hub folder.

The two models compute the same; they differ in the names of their weights, and in that GPT-2
stores the matrices of its blocks transposed.
"""

import os
import tempfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.saved.writing import writing_weights
from llmlab.gpt.text.text_tokenizers import END_OF_TEXT, TextTokenizer
from llmlab.method.errors import LabError

if TYPE_CHECKING:
    from transformers import GPT2Config, GPT2LMHeadModel, PretrainedConfig

MODULES = {
    "token_embedding": "transformer.wte",
    "position_embedding": "transformer.wpe",
    "norm": "transformer.ln_f",
    "head": "lm_head",
}
MATRICES = {
    "attention.qkv": "attn.c_attn",
    "attention.out": "attn.c_proj",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}
BLOCK_MODULES = MATRICES | {"attention_norm": "ln_1", "mlp_norm": "ln_2"}

SAME_MODEL: dict[str, tuple[object, ...]] = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "add_cross_attention": (False,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "tie_word_embeddings": (True,),
}
"""What a configuration must say for our model to compute the same."""

EXPORTED = {
    *("config.json", "generation_config.json", "model.safetensors"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
}
"""What an export may hold."""


def load_gpt2(source: str | Path) -> GPT:
    """Our GPT, in float32, with the weights of a GPT-2.

    Its dropout is what the source applies to the residual stream.

    Args:
        source: id on the Hugging Face hub, such as "gpt2", or a folder.

    Raises:
        LabError: the source cannot be loaded, is incomplete, or computes something other than our
            model; or `transformers` is missing.
    """
    transformers = _transformers()
    try:
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
        _require_same_model(config, source)
        theirs, report = transformers.GPT2LMHeadModel.from_pretrained(
            source, dtype=torch.float32, output_loading_info=True
        )
    except LabError:
        raise
    except Exception as error:  # network, hub and files raise errors of many kinds
        raise LabError(_unavailable(source)) from error
    if lacking := sorted(report["missing_keys"]):
        raise LabError(f"the weights of {source} lack {lacking[0]}: fetch or export them again.")
    ours = GPT(_our_shape(config))
    weights = theirs.state_dict()
    ours.load_state_dict(
        {name: _transposed(name, weights[_their_name(name)]) for name in ours.state_dict()}
    )
    return ours


def export_gpt2(model: GPT, folder: Path, tokenizer: TextTokenizer | None = None) -> None:
    """Write a folder that `transformers` loads as a GPT-2: weights, configuration, tokenizer.

    It is written aside and then put in the place of an earlier export.

    Raises:
        LabError: the folder holds something else than an export, or cannot be written to; or
            `transformers` is missing.
    """
    transformers = _transformers()
    _require_replaceable(folder)
    theirs = _their_model(model, tokenizer)
    with writing_weights(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as aside:
            new = Path(aside, "new")
            theirs.save_pretrained(new)
            if tokenizer:
                transformers.PreTrainedTokenizerFast(
                    tokenizer_object=tokenizer.core,
                    bos_token=END_OF_TEXT,
                    eos_token=END_OF_TEXT,
                    model_max_length=model.config.context,
                ).save_pretrained(new)
            if folder.exists():
                os.replace(folder, Path(aside, "old"))
            os.replace(new, folder)


def _transformers() -> ModuleType:
    try:
        import transformers
    except ImportError as error:
        raise LabError(
            "Hugging Face models need the package transformers, which is not installed: "
            'install it with pip install "llmlab[hub]".'
        ) from error
    transformers.utils.logging.disable_progress_bar()
    return transformers


def _unavailable(source: str | Path) -> str:
    if Path(source).is_dir():
        return (
            f"{source} holds no GPT-2 that can be read: a folder with config.json and "
            "model.safetensors is needed."
        )
    return (
        f'there is no folder "{source}", and Hugging Face does not give a model of that name to '
        "this machine: name a folder that holds config.json and model.safetensors."
    )


def _require_same_model(config: "PretrainedConfig", source: str | Path) -> None:
    for name, possible in SAME_MODEL.items():
        if (found := getattr(config, name, None)) not in possible:
            raise LabError(
                f"{source} has {name} {found}, and our model computes {name} "
                f"{' or '.join(map(str, possible))}: load a model of that kind, such as gpt2."
            )
    if config.n_inner not in (None, 4 * config.n_embd):
        raise LabError(
            f"{source} has n_inner {config.n_inner}, and our model is four times as wide inside "
            f"({4 * config.n_embd}): load a model of that kind, such as gpt2."
        )


def _our_shape(config: "GPT2Config") -> GPTConfig:
    return GPTConfig(
        vocab_size=config.vocab_size,
        context=config.n_positions,
        d_model=config.n_embd,
        n_layers=config.n_layer,
        n_heads=config.n_head,
        dropout=config.resid_pdrop,
    )


def _their_model(model: GPT, tokenizer: TextTokenizer | None) -> "GPT2LMHeadModel":
    shape, transformers = model.config, _transformers()
    end = tokenizer.end_of_text if tokenizer else None
    config = transformers.GPT2Config(
        vocab_size=shape.vocab_size,
        n_positions=shape.context,
        n_embd=shape.d_model,
        n_layer=shape.n_layers,
        n_head=shape.n_heads,
        resid_pdrop=shape.dropout,
        embd_pdrop=shape.dropout,
        attn_pdrop=shape.dropout,
        bos_token_id=end,
        eos_token_id=end,
    )
    theirs = transformers.GPT2LMHeadModel(config)
    theirs.load_state_dict(
        {_their_name(name): _transposed(name, x) for name, x in model.state_dict().items()}
    )
    return theirs


def _require_replaceable(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise LabError(f"{folder} is a file: name a folder to export to.")
    held = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if foreign := sorted(held - EXPORTED):
        raise LabError(
            f"{folder} holds {foreign[0]}, which no export writes: name a new or empty folder."
        )


def _their_name(name: str) -> str:
    """GPT-2's name of our weight: blocks.0.mlp.up.bias is transformer.h.0.mlp.c_fc.bias."""
    module, _, kind = name.rpartition(".")
    if not module.startswith("blocks."):
        return f"{MODULES[module]}.{kind}"
    _, number, within = module.split(".", 2)
    return f"transformer.h.{number}.{BLOCK_MODULES[within]}.{kind}"


def _transposed(name: str, weight: Tensor) -> Tensor:
    """The other model's layout of our weight `name`."""
    is_matrix = name.endswith(tuple(f"{matrix}.weight" for matrix in MATRICES))
    return weight.T.contiguous() if is_matrix else weight
