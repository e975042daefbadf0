"""Tokens per second of our trainer beside a plain Hugging Face GPT-2 of the same shape.

Both train on the same batches in the same process, by turns, and the report is their ratio.
"""

import statistics
import time
from collections.abc import Callable, Iterator

import torch
from report import save
from transformers import GPT2Config, GPT2LMHeadModel

from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.training import Batch, TrainConfig, best_device, train

ROUNDS, STEPS, BATCH = 5, 20, 32
SHAPES = {
    "base (0.8M)": GPTConfig(vocab_size=76, context=32, d_model=128, n_layers=4, n_heads=4),
    "micro (1M)": GPTConfig(vocab_size=1024, context=128, d_model=128, n_layers=4, n_heads=4),
}


def random_batches(config: GPTConfig) -> Iterator[Batch]:
    device, generator = best_device(), torch.Generator().manual_seed(0)
    while True:
        shape = (BATCH, config.context + 1)
        text_BT = torch.randint(config.vocab_size, shape, generator=generator).to(device)
        yield text_BT[:, :-1], text_BT[:, 1:]


def ours(config: GPTConfig) -> Callable[[], None]:
    model = GPT(config).to(best_device())
    batches = random_batches(config)
    return lambda: train(model, batches, TrainConfig(learning_rate=1e-3, steps=STEPS))


def hugging_face(config: GPTConfig) -> Callable[[], None]:
    """The loop of the documentation: forward with labels, backward, clip, AdamW."""
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.context,
            n_embd=config.d_model,
            n_layer=config.n_layers,
            n_head=config.n_heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            use_cache=False,
            bos_token_id=None,
            eos_token_id=None,
            loss_type="ForCausalLM",
        )
    ).to(best_device())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batches = random_batches(config)

    def run() -> None:
        model.train()
        for _ in range(STEPS):
            tokens_BT, _ = next(batches)
            loss = model(input_ids=tokens_BT, labels=tokens_BT).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    return run


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(config: GPTConfig) -> dict[str, float]:
    """Median tokens per second of both, and the median of the ratios round by round."""
    runs = {"ours": ours(config), "hugging_face": hugging_face(config)}
    for run in runs.values():
        run()
    rounds = [{name: seconds(run) for name, run in runs.items()} for _ in range(ROUNDS)]
    tokens = STEPS * BATCH * config.context
    speeds = {
        f"{name}_tokens_s": round(tokens / statistics.median(r[name] for r in rounds))
        for name in runs
    }
    ratio = statistics.median(r["hugging_face"] / r["ours"] for r in rounds)
    return {**speeds, "ratio": round(ratio, 2)}


if __name__ == "__main__":
    save("trainer", {name: compare(config) for name, config in SHAPES.items()})
