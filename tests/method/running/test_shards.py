from pathlib import Path

import pytest
from conftest import Lab
from hypothesis import given
from hypothesis import strategies as st

from llmlab.method.errors import LabError
from llmlab.method.running.parts import Part
from llmlab.method.running.plan import Plan, make_plan, parse_seeds
from llmlab.method.running.shards import merge, seed_ranges


@given(st.integers(1, 200), st.integers(1, 50))
def test_every_seed_is_in_one_shard_and_shards_are_even(n_seeds: int, n_shards: int) -> None:
    shares = [parse_seeds(one) for one in seed_ranges(n_seeds, n_shards)]
    assert [seed for share in shares for seed in share] == list(range(n_seeds))
    assert len(shares) == min(n_seeds, n_shards)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def finish(plan: Plan, seed: int, loss: float) -> None:
    """Leave what the runs of one seed leave."""
    plan.parts.kept.mkdir(parents=True, exist_ok=True)
    (plan.parts.kept / f"{seed}.txt").write_text(f"weights of seed {seed}")
    for trial in plan.trials:
        if trial.seed == seed:
            row = {"run_id": trial.run_id, "seed": seed, "loss": loss}
            plan.parts.write(Part(row, {}, {}, "a", "b", "Abacus", "c"))


def losses(plan: Plan) -> list[float | None]:
    parts = [plan.parts.read(trial.run_id) for trial in plan.trials]
    return [part and part.row["loss"] for part in parts]


def test_shards_come_together_with_their_files_and_replace_nothing(
    lab: Lab, tmp_path: Path
) -> None:
    toy = lab.add()
    shards = [tmp_path / "0", tmp_path / "1"]
    for seed, shard in enumerate(shards):
        finish(make_plan(toy, "smoke", lab.project, out=shard), seed, loss=float(seed))
    plan = make_plan(toy, "smoke", lab.project)
    assert merge(plan, shards) == 4
    assert losses(plan) == [0.0, 1.0, 0.0, 1.0]
    assert sorted(path.name for path in plan.parts.kept.iterdir()) == ["0.txt", "1.txt"]
    finish(make_plan(toy, "smoke", lab.project, out=shards[0]), 0, loss=9.0)
    assert merge(plan, shards) == 0
    assert losses(plan) == [0.0, 1.0, 0.0, 1.0]


def test_a_shard_of_other_code_is_refused(lab: Lab, tmp_path: Path) -> None:
    toy = lab.add()
    finish(make_plan(toy, "smoke", lab.project, out=tmp_path / "0"), 0, loss=0.0)
    toy = lab.edit("toy", "tokens=3", "tokens=4")
    with pytest.raises(LabError, match="no finished run of toy"):
        merge(make_plan(toy, "smoke", lab.project), [tmp_path / "0"])
