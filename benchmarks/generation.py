"""Compare tokens/s of our generation with a cache to `transformers.generate`, at one shape.

Both sample from the same prompt length at the same temperature, taking turns in one process; the
report is the median of their ratios. An additional row has our generation without a cache.
"""

import statistics
import time
from collections.abc import Callable

import torch
from peer import peer
from report import save

from llmlab.gpt.configs import PRESETS
from llmlab.gpt.generation import SamplingConfig, generate
from llmlab.gpt.model import GPT
from llmlab.gpt.training import best_device

ROUNDS, PROMPT, TOKENS = 9, 8, 100
SHAPE = PRESETS["micro"].shape


def ours(cached: bool) -> Callable[[], None]:
    model = GPT(SHAPE).to(best_device()).eval()
    config = SamplingConfig(temperature=0.8)
    return lambda: [*generate(model, list(range(PROMPT)), TOKENS, config, cached=cached)]


def hugging_face() -> Callable[[], None]:
    model = peer(SHAPE, use_cache=True).eval()
    prompt_BT = torch.arange(PROMPT, device=best_device())[None]
    options = {"do_sample": True, "temperature": 0.8, "top_k": 0, "pad_token_id": 0}
    lengths = {"min_new_tokens": TOKENS, "max_new_tokens": TOKENS}
    seen = torch.ones_like(prompt_BT)
    return lambda: model.generate(prompt_BT, attention_mask=seen, **options, **lengths)


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    runs = {"transformers": hugging_face(), "ours": ours(True), "ours, no cache": ours(False)}
    for run in runs.values():
        run()
    turns = [{what: seconds(run) for what, run in runs.items()} for _ in range(ROUNDS)]
    rows = {
        what: {
            "tokens_s": round(TOKENS / statistics.median(turn[what] for turn in turns)),
            "of_peer": round(statistics.median(t["transformers"] / t[what] for t in turns), 2),
        }
        for what in runs
    }
    save("generation", rows)
