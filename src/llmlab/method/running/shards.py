"""Seeds of one experiment, run by several jobs, and put together into one table.

Each job runs some seeds into a folder of its own, by `llmlab run … --seeds 0-4 --out DIR`. Then
`llmlab run … --merge DIR` takes their runs over; tables and manifest are made once.
"""

import shutil
from itertools import pairwise
from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import KEPT
from llmlab.method.files import is_aside, unwritable
from llmlab.method.running.parts import Parts
from llmlab.method.running.plan import Plan


def seed_ranges(n_seeds: int, n_shards: int) -> list[str]:
    """Ranges such as "0-4" that hold every seed once, as even as can be; at most one per seed."""
    n_shards = max(1, min(n_shards, n_seeds))
    ends = [n_seeds * shard // n_shards for shard in range(n_shards + 1)]
    return [f"{first}-{end - 1}" for first, end in pairwise(ends)]


def merge(plan: Plan, shards: list[Path]) -> int:
    """Take over the finished runs of shards, with the files that they left.

    Args:
        shards: folders that `--out` named.

    Returns:
        How many runs were taken over; those that are finished here stay as they are.

    Raises:
        LabError: a shard has no run of the present code and budget, or a file cannot be written.
    """
    return sum(_take(plan, shard) for shard in shards)


def _take(plan: Plan, shard: Path) -> int:
    theirs = Parts.of(shard / plan.scale / plan.experiment.name, plan.fingerprint)
    found = [part for trial in plan.trials if (part := theirs.read(trial.run_id))]
    if not found:
        raise LabError(
            f"{shard} holds no finished run of {plan.experiment.name} at the scale "
            f"'{plan.scale}' of the present code: run it with --out {shard} first."
        )
    mine = {trial.run_id for trial in plan.trials if plan.finished(trial)}
    new = [part for part in found if part.run_id not in mine]
    try:  # files first: a run counts as finished once its part is there
        shutil.copytree(theirs.kept, plan.parts.kept, dirs_exist_ok=True, ignore=_asides)
    except FileNotFoundError:
        pass  # its runs leave no files
    except OSError as error:
        raise unwritable(plan.parts.folder / KEPT, error) from error
    for part in new:
        plan.parts.write(part)
    return len(new)


def _asides(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if is_aside(name)}
