"""Compare fine-tuning with `peft` and the Trainer of `transformers`: tokens/s and peak memory.

Measures one step of LoRA and of QLoRA at the same shape, rank and batch; then whole sweeps: many
adapters stacked on one base, compared with separate runs. Each variant runs in its own process, so
that its memory can be measured. The variants of a case take turns; the report is the median of
their ratios. Memory is that of the process on a CPU, and that of the allocator on CUDA.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from itertools import islice, product
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from peer import four_bit, llama_1b, peer, train_with_trainer, with_lora
from report import in_a_process, peak_mib, save

from llmlab.finetune.model.base_model import load_base_model, new_base_model, save_base_model
from llmlab.finetune.model.hub import HubModel
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.methods import Method
from llmlab.finetune.model.qlora import QloraSpec
from llmlab.finetune.observe.memory import Memory, measure_memory, predict_memory
from llmlab.finetune.study.stacked import new_stack, train_stack
from llmlab.finetune.study.tuning import Tuning, tuned_model
from llmlab.finetune.tasks.batches import encode, epochs
from llmlab.finetune.tasks.skills import subtraction
from llmlab.finetune.tasks.task import Task
from llmlab.gpt.configs import PRESETS
from llmlab.gpt.model import GPT
from llmlab.gpt.speed import keep_freed_memory
from llmlab.gpt.training import Batch, TrainConfig, Trainer, best_device
from llmlab.method.evidence.provenance import available_cores

ON_GPU = best_device().type == "cuda"
PRECISION = "bfloat16" if ON_GPU else "float32"
LORA = LoraSpec(rank=8, alpha=16)
QLORA = QloraSpec(LORA)
WARM_UP = 3
"""Steps before the clock starts."""

Found = dict[str, float]
"""What a way measured of itself: numbers by name, "seconds" among them."""


# One step


@dataclass(frozen=True)
class Steps:
    """Steps of one shape."""

    batch_size: int
    tokens: int
    vocab_size: int
    count: int

    def batches(self, device: torch.device) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(0)
        while True:
            size = (self.batch_size, self.tokens + 1)
            text_BT = torch.randint(self.vocab_size, size, generator=generator).to(device)
            yield text_BT[:, :-1], text_BT[:, 1:]


MICRO = PRESETS["micro"].shape
MICRO_STEPS = Steps(batch_size=16, tokens=MICRO.context, vocab_size=MICRO.vocab_size, count=20)
LLAMA_STEPS = Steps(batch_size=4, tokens=512, vocab_size=32_000, count=10)


def ours(model: torch.nn.Module, method: Method, steps: Steps) -> Found:
    keep_freed_memory()  # as `llmlab finetune` does
    config = TrainConfig(learning_rate=1e-3, steps=10**9, precision=PRECISION)
    model = method.adapt(model.to(best_device()), seed=0)
    points = Trainer(model, config).points(steps.batches(best_device()))
    list(islice(points, WARM_UP))
    _forget_peak()
    start = time.perf_counter()
    list(islice(points, steps.count))
    if ON_GPU:
        torch.cuda.synchronize()
    return {"seconds": time.perf_counter() - start}


def theirs(model: torch.nn.Module, steps: Steps) -> Found:
    _forget_peak()
    batches = steps.batches(torch.device("cpu"))
    times = train_with_trainer(with_lora(model, LORA), batches, WARM_UP + steps.count)
    return {"seconds": times[-1] - times[WARM_UP - 1]}


# Whole sweeps


@dataclass(frozen=True)
class SweepShape:
    """A sweep over ranks, rates and seeds on a base of one shape."""

    d_model: int
    n_layers: int
    n_heads: int
    ranks: Sequence[int]
    seeds: int
    batch_size: int
    steps: int
    rates: Sequence[float] = (5e-4, 1e-3, 2e-3, 5e-3)


SMALL_SWEEP = SweepShape(128, 4, 4, ranks=(4, 16), seeds=1, batch_size=32, steps=20)
NANO = PRESETS["nano"].shape
NANO_SWEEP = SweepShape(
    NANO.d_model,
    NANO.n_layers,
    NANO.n_heads,
    ranks=(2, 4, 8, 16),
    seeds=3,
    batch_size=32,
    steps=100,
)


def sweep(shape: SweepShape, folder: Path) -> list[Tuning]:
    """The runs of a sweep on an untrained base, which is written into `folder`."""
    save_base_model(
        new_base_model(shape.d_model, shape.n_layers, shape.n_heads, context=32, seed=0), folder
    )
    items = subtraction().train[:3000]
    return [
        Tuning(
            base=folder,
            task=Task(train=items, validation=(), test=()),
            method=LoraSpec(rank, alpha=16),
            config=TrainConfig(rate, shape.steps, precision=PRECISION),
            batch_size=shape.batch_size,
            seed=seed,
            suite_items=0,
        )
        for rank, rate, seed in product(shape.ranks, shape.rates, range(shape.seeds))
    ]


def stacked(tunings: Sequence[Tuning]) -> None:
    train_stack(new_stack(tunings), tunings)


def one_after_another(tunings: Sequence[Tuning]) -> None:
    for tuning in tunings:
        tuned_model(tuning)


def peft_one_after_another(tunings: Sequence[Tuning]) -> None:
    """The same runs with `peft` and the Trainer, on a GPT-2 of the same shape."""
    for tuning in tunings:
        torch.manual_seed(tuning.seed)
        model = with_lora(peer(load_base_model(tuning.base, best_device()).config), tuning.method)
        batches = epochs(encode(tuning.task.train), tuning.batch_size, tuning.seed)
        train_with_trainer(model, batches, tuning.config.steps, tuning.config.learning_rate)


def timed_sweep(
    run: Callable[[Sequence[Tuning]], None], shape: SweepShape, part: slice = slice(None)
) -> Found:
    """The time of some runs of a sweep, after a few steps that load and prepare all there is."""
    with TemporaryDirectory() as folder:
        tunings = sweep(shape, Path(folder))[part]
        run([replace(tunings[0], config=replace(tunings[0].config, steps=WARM_UP))])
        _forget_peak()
        start = time.perf_counter()
        run(tunings)
        if ON_GPU:
            torch.cuda.synchronize()
        return {"seconds": time.perf_counter() - start}


def side_by_side(shape: SweepShape) -> Found:
    """The runs in as many processes of one thread as there are cores; the slowest one's time."""
    n_processes = available_cores()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--share"]
    processes = [
        subprocess.Popen(
            [*command, str(part), str(n_processes)], env=environment, stdout=subprocess.PIPE
        )
        for part in range(n_processes)
    ]
    shares = [json.loads(process.communicate()[0]) for process in processes]
    return {
        name: combine(share[name] for share in shares)
        for name, combine in {"seconds": max, "peak_mib": sum}.items()
    }


def share_of_small_sweep(part: int, parts: int) -> Found:
    return timed_sweep(one_after_another, SMALL_SWEEP, slice(part, None, parts))


# Cases


@dataclass(frozen=True)
class Case:
    """Ways to do the same; the first is ours, the second the one that it is compared with."""

    tokens: int
    ways: Mapping[str, Callable[[], Found]]


def sweep_tokens(shape: SweepShape) -> int:
    n_runs = len(shape.ranks) * len(shape.rates) * shape.seeds
    width = encode(subtraction().train[:3000]).tokens_NT.shape[1]
    return n_runs * shape.steps * shape.batch_size * width


def step_tokens(steps: Steps) -> int:
    return steps.batch_size * steps.tokens * steps.count


CPU_CASES = {
    "LoRA, micro": Case(
        step_tokens(MICRO_STEPS),
        {
            "ours": lambda: ours(GPT(MICRO), LORA, MICRO_STEPS),
            "peft": lambda: theirs(peer(MICRO), MICRO_STEPS),
        },
    ),
    "QLoRA, micro": Case(
        step_tokens(MICRO_STEPS),
        {
            "ours": lambda: ours(GPT(MICRO), QLORA, MICRO_STEPS),
            "peft": lambda: theirs(four_bit(peer(MICRO)), MICRO_STEPS),
        },
    ),
    "sweep of 8": Case(
        sweep_tokens(SMALL_SWEEP),
        {
            "stacked": lambda: timed_sweep(stacked, SMALL_SWEEP),
            "side by side": lambda: side_by_side(SMALL_SWEEP),
        },
    ),
}
CUDA_CASES = {
    "sweep of 48, nano": Case(
        sweep_tokens(NANO_SWEEP),
        {
            "stacked": lambda: timed_sweep(stacked, NANO_SWEEP),
            "peft, one after another": lambda: timed_sweep(peft_one_after_another, NANO_SWEEP),
            "ours, one after another": lambda: timed_sweep(one_after_another, NANO_SWEEP),
        },
    ),
    "QLoRA, Llama 1.1B": Case(
        step_tokens(LLAMA_STEPS),
        {
            "ours": lambda: ours(HubModel(llama_1b()), QLORA, LLAMA_STEPS),
            "peft": lambda: theirs(four_bit(llama_1b()), LLAMA_STEPS),
        },
    ),
}
CASES = CUDA_CASES if ON_GPU else CPU_CASES


def memory_table() -> dict[str, Found]:
    """What the memory of QLoRA on the Llama was predicted to be, beside what it is."""
    model, steps = HubModel(llama_1b()), LLAMA_STEPS
    shape = (steps.batch_size, steps.tokens)
    predicted = predict_memory(model, QLORA, shape, PRECISION)
    trainer = Trainer(QLORA.adapt(model, seed=0), TrainConfig(1e-3, 10, precision=PRECISION))
    measured = measure_memory(trainer, next(steps.batches(best_device())))
    names = [*(field.name for field in fields(Memory)), "total"]
    pairs = zip(
        names,
        (*astuple(predicted), predicted.total),
        (*astuple(measured), measured.total),
        strict=True,
    )
    return {
        f"QLoRA, Llama 1.1B: {name}": {
            "predicted_mib": round(guess / 2**20, 1),
            "measured_mib": round(found / 2**20, 1),
        }
        for name, guess, found in pairs
    }


# Report


def compare(name: str, rounds: int) -> dict[str, Found]:
    case = CASES[name]
    _, second, *_ = case.ways
    turns = [
        {way: in_a_process(__file__, "--way", name, way) for way in case.ways}
        for _ in range(rounds)
    ]
    seconds = [{way: found["seconds"] for way, found in turn.items()} for turn in turns]
    return {
        f"{name}: {way}": {
            "tokens_s": round(case.tokens / statistics.median(turn[way] for turn in seconds)),
            "of_peer": round(statistics.median(turn[second] / turn[way] for turn in seconds), 2),
            "peak_mib": round(statistics.median(turn[way]["peak_mib"] for turn in turns)),
        }
        for way in case.ways
    }


def _forget_peak() -> None:
    """Count the memory of the steps alone, where loading a model takes more than its training."""
    if ON_GPU:
        torch.cuda.reset_peak_memory_stats()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="of " + "; ".join(CASES))
    parser.add_argument("--rounds", type=int, default=1 if ON_GPU else 5, help="turns of each way")
    parser.add_argument("--way", nargs=2, help="used by itself")
    parser.add_argument("--share", nargs=2, type=int, help="used by itself")
    arguments = parser.parse_args()
    if arguments.way:
        name, way = arguments.way
        found = CASES[name].ways[way]()
        print(json.dumps({"peak_mib": peak_mib()} | found))
    elif arguments.share:
        print(json.dumps(share_of_small_sweep(*arguments.share) | {"peak_mib": peak_mib()}))
    else:
        rows = [compare(name, arguments.rounds) for name in arguments.cases or CASES]
        if ON_GPU:
            rows.append(memory_table())
        save("finetune", {what: row for found in rows for what, row in found.items()})
