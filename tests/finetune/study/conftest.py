"""Brief runs that differ only in what may be stacked."""

from pathlib import Path

import pytest

from llmlab.finetune.model.base_model import new_base_model, save_base_model
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.study.tuning import Tuning
from llmlab.finetune.tasks.skills import Item
from llmlab.finetune.tasks.task import Task
from llmlab.gpt.training import TrainConfig

ITEMS = tuple(Item(f"{a}+{b}=", str(a + b)) for a in range(5) for b in range(5))
SPECS = (
    LoraSpec(rank=1, alpha=16),
    LoraSpec(rank=8, alpha=16, scaling="rslora"),
    LoraSpec(rank=4, alpha=2),
    LoraSpec(rank=8, alpha=16),
)
RATES = (1e-3, 5e-3, 2e-2, 1e-2)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    save_base_model(new_base_model(d_model=32, n_layers=2, n_heads=2, context=32, seed=0), tmp_path)
    return tmp_path


@pytest.fixture
def tunings(base: Path) -> list[Tuning]:
    """Runs that differ in rank, scaling, rate, decay, clipping and seed."""
    return [
        Tuning(
            base=base,
            task=Task(train=ITEMS, validation=ITEMS[:7], test=ITEMS[7:]),
            method=spec,
            config=TrainConfig(
                learning_rate=rate,
                steps=25,
                log_every=1,
                weight_decay=0.1 * seed,
                clip=1.0 / (1 + seed),
                warmup_share=0.1 * seed,
            ),
            batch_size=4,
            seed=seed,
            suite_items=6,
        )
        for seed, (spec, rate) in enumerate(zip(SPECS, RATES, strict=True))
    ]
