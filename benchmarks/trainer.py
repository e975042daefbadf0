"""Tokens per second and memory of our trainer beside a plain `transformers` GPT-2 loop.

Both train one shape on the same batches, by turns, each in a process of its own: ours as `llmlab
train` sets it up, theirs as their documentation does. The report is the median of their ratios, in
float32 and in the precision that `llmlab train` chooses on this machine. With --variants, rows say
what each choice of ours brings: the same trainer with that choice undone (or added).
"""

import argparse
import itertools
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from peer import peer
from report import in_a_process, peak_mib, save
from torch.nn import functional as F

from llmlab.gpt import model as gpt_model
from llmlab.gpt import training
from llmlab.gpt.configs import PRESETS
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.speed import fast_attention, keep_freed_memory, mfu, peak_flops
from llmlab.gpt.training import (
    Batch,
    Precision,
    TrainConfig,
    Trainer,
    best_device,
    best_precision,
)

Run = Callable[[], None]

TURNS = 3
PRECISIONS = tuple(dict.fromkeys(("float32", best_precision(best_device()))))
CASES = {"cpu": {"micro": (16, 20), "nano": (8, 4)}, "cuda": {"medium": (32, 10)}}
"""For each kind of device and shape the batch size and the steps of one turn."""


def random_batches(shape: GPTConfig, batch_size: int) -> Iterator[Batch]:
    device, generator = best_device(), torch.Generator().manual_seed(0)
    while True:
        size = (batch_size, shape.context + 1)
        text_BT = torch.randint(shape.vocab_size, size, generator=generator).to(device)
        yield text_BT[:, :-1], text_BT[:, 1:]


def ours(
    shape: GPTConfig,
    batch_size: int,
    steps: int,
    precision: Precision,
    compiled: bool = False,
    keep: bool = True,
    plain_attention: bool = True,
) -> Run:
    if keep:
        keep_freed_memory()
    model = GPT(shape).to(best_device())
    config = TrainConfig(learning_rate=1e-3, steps=10**9, precision=precision)
    if compiled:
        model.compile()
    points = Trainer(model, config).points(random_batches(shape, batch_size))
    context = shape.context if plain_attention else math.inf

    def run() -> None:
        with fast_attention(precision, best_device(), context):
            for _ in range(steps):
                next(points)

    return run


def hugging_face(shape: GPTConfig, batch_size: int, steps: int, precision: Precision) -> Run:
    """The loop of the documentation: forward with labels, backward, clip, AdamW."""
    model, batches = peer(shape), random_batches(shape, batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    bfloat16 = precision == "bfloat16"

    def run() -> None:
        model.train()
        for _ in range(steps):
            tokens_BT, _ = next(batches)
            with torch.autocast(tokens_BT.device.type, torch.bfloat16, enabled=bfloat16):
                loss = model(input_ids=tokens_BT, labels=tokens_BT).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            loss.item()

    return run


def with_gelu_in_steps(*case: object) -> Run:
    """Ours with the GELU of `transformers`: one operation after another."""

    def gelu(x, approximate):
        return 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * torch.pow(x, 3))))

    run = ours(*case)

    def patched() -> None:
        fused, gpt_model.F.gelu = F.gelu, gelu
        try:
            run()
        finally:
            gpt_model.F.gelu = fused

    return patched


def with_plain_adamw(*case: object) -> Run:
    """Ours with AdamW as PyTorch makes it unless told to fuse its operations."""
    fused = training.make_optimizer

    def plain(model, config):
        groups = [group | {"fused": False} for group in fused(model, config).param_groups]
        return torch.optim.AdamW(groups, fused=False)

    training.make_optimizer = plain
    try:
        return ours(*case)
    finally:
        training.make_optimizer = fused


WAYS: dict[str, Callable[..., Run]] = {
    "ours": ours,
    "transformers": hugging_face,
    "GELU in single operations": with_gelu_in_steps,
    "AdamW not fused": with_plain_adamw,
    "with torch.compile": lambda *case: ours(*case, compiled=True),
    "attention fused": lambda *case: ours(*case, plain_attention=False),
    "memory given back": lambda *case: ours(*case, keep=False),
}
"""The two that are compared, then ours with one choice undone (or added)."""


def measure(name: str, precision: Precision, way: str) -> dict[str, float]:
    """Tokens per second and peak memory of one way, in this process; the first turn warms up."""
    batch_size, steps = CASES[best_device().type][name]
    run = WAYS[way](PRESETS[name].shape, batch_size, steps, precision)
    taken = [_seconds(run) for _ in range(1 + TURNS)][1:]
    tokens = batch_size * steps * PRESETS[name].shape.context
    return {"tokens_s": tokens / statistics.median(taken), "peak_mib": peak_mib()}


def _seconds(run: Run) -> float:
    start = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(
    name: str, precision: Precision, ways: Sequence[str], n_rounds: int
) -> dict[str, dict[str, float]]:
    """Medians over the rounds, and the medians of the ratios round by round."""
    rounds = [
        {way: in_a_process(__file__, "--way", name, precision, way) for way in ways}
        for _ in range(n_rounds)
    ]
    rows = {
        way: {
            "tokens_s": round(statistics.median(found[way]["tokens_s"] for found in rounds)),
            "of_peer": _ratio(rounds, way, "transformers"),
            "of_ours": _ratio(rounds, way, "ours"),
            "peak_mib": round(statistics.median(found[way]["peak_mib"] for found in rounds)),
        }
        for way in ways
    }
    if peak := peak_flops(best_device(), precision):
        rows["ours"]["mfu"] = round(mfu(PRESETS[name].shape, rows["ours"]["tokens_s"], peak), 3)
    return {f"{name} {precision}: {way}": row for way, row in rows.items()}


def _ratio(rounds: list[dict[str, dict[str, float]]], way: str, other: str) -> float:
    ratios = (found[way]["tokens_s"] / found[other]["tokens_s"] for found in rounds)
    return round(statistics.median(ratios), 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", nargs=3, help="used by itself")
    parser.add_argument("--variants", action="store_true", help="say what each choice brings")
    parser.add_argument("--rounds", type=int, default=5, help="processes of each way")
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(measure(*arguments.way)))
    else:
        ways = list(WAYS) if arguments.variants else list(WAYS)[:2]
        cases = itertools.product(CASES[best_device().type], PRECISIONS)
        found = [compare(*case, ways, arguments.rounds) for case in cases]
        save("trainer", {what: row for rows in found for what, row in rows.items()})
