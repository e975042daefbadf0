"""Merge the seeds of one experiment, run by several jobs, into one table.

Each job runs some seeds into its own folder with `llmlab run … --seeds 0-4 --out DIR`. Then
`llmlab run … --merge DIR` collects their runs and makes the tables and manifest once.
"""

import shutil
from itertools import pairwise
from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import KEPT
from llmlab.method.files import asides, unwritable
from llmlab.method.running.parts import Parts
from llmlab.method.running.plan import Plan


def seed_ranges(n_seeds: int, n_shards: int) -> list[str]:
    """Split the seeds into ranges such as "0-4", as evenly as possible; at most one per seed."""
    n_shards = max(1, min(n_shards, n_seeds))
    ends = [n_seeds * shard // n_shards for shard in range(n_shards + 1)]
    return [f"{first}-{end - 1}" for first, end in pairwise(ends)]


def merge(plan: Plan, shards: list[Path]) -> int:
    """Copy the finished runs of shards, with the files that they kept.

    Args:
        shards: folders given to `--out`.

    Returns:
        The number of runs copied; runs already finished here stay unchanged.

    Raises:
        LabError: a shard has no run of the present code and budget, or a file cannot be written.
    """
    return sum(_take(plan, shard) for shard in shards)


def _take(plan: Plan, shard: Path) -> int:
    theirs = Parts.of(shard / plan.scale / plan.experiment.name, plan.fingerprint)
    found = [part for trial in plan.trials if (part := theirs.read(trial.run_id))]
    if not found:
        raise LabError(
            f"{shard} holds no finished run of {plan.experiment.name} at scale '{plan.scale}' with "
            f"the present code; run it with --out {shard} first."
        )
    mine = {trial.run_id for trial in plan.trials if plan.finished(trial)}
    new = [part for part in found if part.run_id not in mine]
    try:  # files first: a run counts as finished once its part exists
        shutil.copytree(theirs.kept, plan.parts.kept, dirs_exist_ok=True, ignore=asides)
    except FileNotFoundError:
        pass  # its runs keep no files
    except OSError as error:
        raise unwritable(plan.parts.folder / KEPT, error) from error
    for part in new:
        plan.parts.write(part)
    return len(new)
