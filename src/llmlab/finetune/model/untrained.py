"""A tiny untrained model in the format of `transformers`, where a real one takes too long."""

from pathlib import Path

import torch

VOCABULARY = 300


def save_untrained_llama(folder: Path, text: str) -> None:
    """Write a Llama of two layers, and a tokenizer of byte pairs learned from `text`."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    end = "<|end|>"
    pairs = ByteLevelBPETokenizer()
    pairs.train_from_iterator([text], VOCABULARY, special_tokens=[end], show_progress=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pairs._tokenizer, eos_token=end, pad_token=end
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
