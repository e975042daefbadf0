"""The GPT of `gpt/` with rotary positions (Su et al. 2021, 2104.09864, section 3.2.2).

A repair copies names from anywhere in the program, which is relative: with learned positions the
same model repaired about half as many programs.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from llmlab.gpt.model import GPT, Attention, GPTConfig, KVCache

BASE = 10_000.0


class Memory(KVCache):
    """Keys and values so far, and which tokens are padding, shape [B, context]."""

    def __init__(self, config: GPTConfig, batch_size: int, like: Tensor) -> None:
        super().__init__(config, batch_size, like)
        self.is_pad_BS = torch.zeros(
            (batch_size, config.context), dtype=torch.bool, device=like.device
        )

    def visible(self, n_new: int) -> Tensor:
        """Which tokens each of the newest `n_new` may attend to, shape [B, 1, T, S]."""
        causal_TS = torch.ones(
            (n_new, self.length), dtype=torch.bool, device=self.is_pad_BS.device
        ).tril(self.length - n_new)
        visible_BTS = causal_TS & ~self.is_pad_BS[:, None, : self.length]
        itself_TS = torch.eye(self.length, dtype=torch.bool, device=visible_BTS.device)[-n_new:]
        return (visible_BTS | itself_TS)[:, None]


class RotaryAttention(Attention):
    """Attention whose queries and keys are turned by an angle that grows with their position."""

    def forward(self, x_BTD: Tensor, cache: Memory | None = None) -> Tensor:
        B, T, D = x_BTD.shape
        q_BHTK, k_BHTK, v_BHSK = (
            part.view(B, T, self.n_heads, D // self.n_heads).transpose(1, 2)
            for part in self.qkv(x_BTD).split(D, dim=-1)
        )
        start = cache.length if cache else 0
        q_BHTK, k_BHSK = turned(q_BHTK, start), turned(k_BHTK, start)
        visible_B1TS = None
        if cache is not None:
            k_BHSK, v_BHSK = cache.extend(k_BHSK, v_BHSK)
            visible_B1TS = cache.visible(T)
        mixed_BHTK = F.scaled_dot_product_attention(
            q_BHTK, k_BHSK, v_BHSK, attn_mask=visible_B1TS, is_causal=cache is None
        )
        return self.out(mixed_BHTK.transpose(1, 2).reshape(B, T, D))


def turned(x_BHTK: Tensor, start: int) -> Tensor:
    """Each pair of dimensions (i, i + K/2) turned by position · BASE^(-2i/K)."""
    half = x_BHTK.shape[-1] // 2
    rate_I = BASE ** (-torch.arange(half, device=x_BHTK.device) / half)
    position_T = torch.arange(start, start + x_BHTK.shape[-2], device=x_BHTK.device)
    angle_TI = position_T[:, None] * rate_I
    cos_TI, sin_TI = angle_TI.cos().to(x_BHTK.dtype), angle_TI.sin().to(x_BHTK.dtype)
    a_BHTI, b_BHTI = x_BHTK.split(half, dim=-1)
    return torch.cat([a_BHTI * cos_TI - b_BHTI * sin_TI, a_BHTI * sin_TI + b_BHTI * cos_TI], -1)


class RotaryGPT(GPT):
    """Token ids in, logits out; there is no table of positions."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__(config)
        del self.position_embedding
        for block in self.blocks:
            rotary = RotaryAttention(config)
            rotary.load_state_dict(block.attention.state_dict())
            block.attention = rotary

    def forward(self, tokens_BT: Tensor, cache: list[Memory] | None = None) -> Tensor:
        """Logits, shape [B, T, V]."""
        x_BTD = self.token_embedding(tokens_BT)
        for index, block in enumerate(self.blocks):
            x_BTD = block(x_BTD, cache[index] if cache else None)
        return self.head(self.norm(x_BTD))

    def new_cache(self, batch_size: int) -> list[Memory]:
        like = self.token_embedding.weight
        return [Memory(self.config, batch_size, like) for _ in self.blocks]
