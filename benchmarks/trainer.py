"""Tokens per second and memory of our trainer beside a plain `transformers` GPT-2 loop.

Both train one shape on the same batches in one process, by turns; the report is the median of
their ratios, in float32 and in the precision that `llmlab train` chooses on this machine. Peak
memory is that of a process which does nothing else. The rows below a shape say what each choice of
ours brings: the same trainer with that choice undone (or added).
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from peer import peer
from report import save
from torch.nn import functional as F

from llmlab.gpt import model as gpt_model
from llmlab.gpt import training
from llmlab.gpt.configs import PRESETS
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.speed import mfu, peak_flops
from llmlab.gpt.training import (
    Batch,
    Precision,
    TrainConfig,
    Trainer,
    best_device,
    best_precision,
)

Run = Callable[[], None]

ROUNDS = 5
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
    shape: GPTConfig, batch_size: int, steps: int, precision: Precision, compiled: bool = False
) -> Run:
    model = GPT(shape).to(best_device())
    config = TrainConfig(learning_rate=1e-3, steps=10**9, precision=precision)
    if compiled:
        model.compile()
    points = Trainer(model, config).points(random_batches(shape, batch_size))
    return lambda: [next(points) for _ in range(steps)]


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
        return torch.optim.AdamW(fused(model, config).param_groups, fused=False)

    training.make_optimizer = plain
    try:
        return ours(*case)
    finally:
        training.make_optimizer = fused


VARIANTS = {
    "GELU in single operations": with_gelu_in_steps,
    "AdamW not fused": with_plain_adamw,
    "with torch.compile": lambda *case: ours(*case, compiled=True),
}


def seconds(run: Run) -> float:
    start = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(name: str, precision: Precision, variants: bool) -> dict[str, dict[str, float]]:
    """Median tokens per second, and the medians of the ratios turn by turn."""
    shape, case = PRESETS[name].shape, (*CASES[best_device().type][name], precision)
    runs = {"ours": ours(shape, *case), "transformers": hugging_face(shape, *case)}
    if variants:
        runs |= {what: make(shape, *case) for what, make in VARIANTS.items()}
    for run in runs.values():
        run()
    turns = [{what: seconds(run) for what, run in runs.items()} for _ in range(ROUNDS)]
    tokens = case[0] * case[1] * shape.context
    rows = {
        what: {
            "tokens_s": round(tokens / statistics.median(turn[what] for turn in turns)),
            "of_peer": _ratio(turns, "transformers", what),
            "of_ours": _ratio(turns, "ours", what),
        }
        for what in runs
    }
    for what in ("ours", "transformers"):
        rows[what]["peak_mib"] = _memory_of_its_own(name, precision, what)
    if peak := peak_flops(best_device(), precision):
        rows["ours"]["mfu"] = round(mfu(shape, rows["ours"]["tokens_s"], peak), 3)
    return {f"{name} {precision}: {what}": row for what, row in rows.items()}


def _ratio(turns: list[dict[str, float]], slower: str, what: str) -> float:
    return round(statistics.median(turn[slower] / turn[what] for turn in turns), 2)


def _memory_of_its_own(name: str, precision: Precision, what: str) -> float:
    command = [sys.executable, __file__, "--memory", name, precision, what]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def print_memory(name: str, precision: Precision, what: str) -> None:
    """Print the peak memory of this process in MiB after some steps of one of the two."""
    shape, (batch_size, _) = PRESETS[name].shape, CASES[best_device().type][name]
    make = {"ours": ours, "transformers": hugging_face}[what]
    make(replace(shape), batch_size, 3, precision)()
    if torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated() / 2**20
    else:
        # not getrusage's, which begins at the peak of the process that started this one
        status = Path("/proc/self/status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 2**10
    print(json.dumps(round(peak)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", nargs=3, metavar=("SHAPE", "PRECISION", "WHO"))
    parser.add_argument("--variants", action="store_true", help="say what each choice brings")
    arguments = parser.parse_args()
    if arguments.memory:
        print_memory(*arguments.memory)
    else:
        cases = itertools.product(CASES[best_device().type], PRECISIONS)
        found = [compare(*case, arguments.variants) for case in cases]
        save("trainer", {what: row for rows in found for what, row in rows.items()})
