"""The peer that our model and trainer are compared with: GPT-2 of `transformers`, of one shape."""

from llmlab.gpt.model import GPTConfig
from llmlab.gpt.training import best_device


def peer(shape: GPTConfig, *, use_cache: bool = False):
    """A GPT2LMHeadModel with random weights and no dropout, as its documentation makes one."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=shape.vocab_size,
        n_positions=shape.context,
        n_embd=shape.d_model,
        n_layer=shape.n_layers,
        n_head=shape.n_heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=use_cache,
        bos_token_id=None,
        eos_token_id=None,
        loss_type="ForCausalLM",
    )
    return GPT2LMHeadModel(config).to(best_device())
