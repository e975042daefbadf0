"""Files that a simulated run says it writes: their sizes add up to the model's."""

from dataclasses import replace

import pytest

from llmlab.cluster.physics.hardware import accelerator
from llmlab.cluster.physics.plan import Plan
from llmlab.cluster.physics.shapes import shape_named
from llmlab.cluster.show.script import COMPANIONS, SHARD_BYTES, export_files, shards

PLAN = Plan(shape_named("Llama 3.1 8B"), accelerator("H100"), 64, 8192, 128)


@pytest.mark.parametrize(("parameters", "n_shards"), [(1, 1), (SHARD_BYTES, 2), (8 * 10**9, 4)])
def test_an_export_has_two_bytes_a_parameter_and_what_stands_beside(
    parameters: int, n_shards: int
) -> None:
    files = {file.name: file.bytes for file in export_files(parameters)}
    weights = {name: size for name, size in files.items() if name.endswith(".safetensors")}
    last = f"model-{n_shards:05d}-of-{n_shards:05d}.safetensors"
    assert (len(weights), last in weights) == (n_shards, True)
    assert sum(weights.values()) == 2 * parameters
    assert max(weights.values()) <= SHARD_BYTES
    assert files.keys() - weights == {"model.safetensors.index.json", *COMPANIONS}


def test_a_checkpoint_has_a_shard_for_each_rank_that_shares_the_model() -> None:
    *weights, metadata = shards(replace(PLAN, tp=4, pp=2))
    assert metadata.name == "metadata.json"
    assert len({file.name for file in weights}) == 8
    # weights in 16 bits, and their copy, mean and variance in 32
    assert sum(file.bytes for file in weights) == pytest.approx(
        14 * PLAN.shape.parameters, rel=1e-6
    )
