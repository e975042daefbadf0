"""Run the trials of an experiment in parallel processes, or all at once, and make its tables.

Every finished run is a file (see `parts`), so a kill at any moment loses at most the runs in
flight; runs that train at once are in flight together. The tables are made only when all runs of
the budget are finished.
"""

import multiprocessing
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from llmlab.method.checksums import checksums, file_sha256
from llmlab.method.declare.catalog import scale_budget
from llmlab.method.declare.experiment import Experiment, Trial
from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import (
    KEPT,
    MANIFEST,
    Manifest,
    read_manifest,
    write_manifest,
)
from llmlab.method.evidence.provenance import host, libraries
from llmlab.method.evidence.views import VIEWS, write_views
from llmlab.method.files import (
    asides,
    flush_folder,
    remove_asides,
    remove_file,
    replaced,
    unwritable,
)
from llmlab.method.locks import locked
from llmlab.method.project import Project
from llmlab.method.running.added_seeds import judged_before
from llmlab.method.running.lease import lease
from llmlab.method.running.parts import LOCK, Part
from llmlab.method.running.plan import Plan, make_plan
from llmlab.method.running.worker import start, work, work_together, worker_environment
from llmlab.method.wording import counted

Report = Callable[[int, int, str], None]
"""Called with the number of finished runs, the number of all runs, and the latest event."""

POLL_SECONDS = 1.0
"""Polling interval, in seconds, for finished runs of a process that runs several."""


def run_experiment(
    experiment: Experiment,
    scale: str,
    project: Project,
    *,
    seeds: Sequence[int] | None = None,
    out: Path | None = None,
    workers: int | None = None,
    report: Report = lambda done, total, event: None,
) -> Manifest | None:
    """Run the trials that are not finished yet, then make the tables.

    Args:
        seeds: run only these seeds; the tables are made once all seeds of the budget are finished.
        out: folder used instead of `build/results`.
        workers: number of parallel processes, which share GPUs if there are fewer GPUs; by default
            one per GPU, or as many as the cores can run.

    Returns:
        The manifest of the tables, or None while runs of other seeds are missing.

    Raises:
        LabError: a run raised (after the others have finished) or returned an outcome other than
            declared; a needed experiment has no current results; another process is running the
            same experiment; or a file cannot be written. The same call continues from there.
    """
    plan = make_plan(experiment, scale, project, seeds=seeds, out=out, workers=workers)
    if plan.is_done:
        return read_manifest(plan.folder)
    for name in plan.unmet:
        raise LabError(
            f"{experiment.name} needs the results of {name} at scale '{scale}', which are missing, "
            f"stale or damaged; run `llmlab run {name} --scale {scale}` first."
        )
    with _alone(plan):
        remove_asides(plan.folder)
        _make_kept(plan)
        _discard_damaged(plan)
        _compute(plan, report)
        return _assemble(plan, project) if all(map(plan.finished, plan.trials)) else None


def _alone(plan: Plan) -> AbstractContextManager[None]:
    """Keep other processes from running the same experiment into the same folder.

    Waits a moment, so that a check for a running process does not make a run fail.
    """
    taken = (
        f"another process is running {plan.experiment.name} at scale '{plan.scale}'; wait for it "
        "to end, or give this run another folder with --out."
    )
    return locked(plan.folder / LOCK, taken, patience=1.0)


def _discard_damaged(plan: Plan) -> None:
    """Remove all finished runs if files that they kept for other experiments are damaged.

    Files are not attributed to runs, so all have to be run again.
    """
    try:
        manifest = read_manifest(plan.folder)
    except LabError:  # no tables yet, so there are no checksums to compare with
        return
    if manifest.fingerprint == plan.fingerprint and manifest.kept != checksums(plan.parts.kept):
        shutil.rmtree(plan.parts.folder, ignore_errors=True)
        _make_kept(plan)


def _make_kept(plan: Plan) -> None:
    """Make the folders in which the runs keep files for other experiments."""
    for folder in {trial.keep for trial in plan.trials}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error


def _compute(plan: Plan, report: Report) -> None:
    """Run all unfinished trials; if any raised, raise LabError after all were tried."""
    pending, total = plan.pending, len(plan.chosen)
    done = total - len(pending)
    report(done, total, f"starting, {plan.way}")
    if not pending:
        return
    errors: dict[str, str] = {}
    waiting = partial(report, done, total, "waiting for a GPU")
    for run_id, error in _results(plan, pending, waiting):
        if error is None:
            done += 1
        else:
            errors[run_id] = error
        report(done, total, run_id)
    if errors:
        raise _raised(plan, errors)


Results = Iterator[tuple[str, str | None]]
"""The runs as they finish, each with its error or None."""


def _results(plan: Plan, pending: Sequence[Trial], waiting: Callable[[], None]) -> Results:
    results = _results_together if plan.together else _results_one_by_one
    with _worker_pool(plan, len(pending), waiting) as pool:
        try:
            yield from results(plan, pending, pool)
        except BrokenProcessPool as error:
            raise LabError(
                f"a worker process of {plan.experiment.name} was killed, perhaps because memory "
                "ran out; repeat the command, with fewer --workers if so."
            ) from error


def _results_one_by_one(plan: Plan, pending: Sequence[Trial], pool: Executor) -> Results:
    futures = {pool.submit(work, trial, plan.parts, plan.code): trial.run_id for trial in pending}
    for future in as_completed(futures):
        yield futures[future], future.result()


def _results_together(plan: Plan, pending: Sequence[Trial], pool: Executor) -> Results:
    """Give each worker one share of the trials; it writes each run's part as soon as it is done."""
    n_shares = min(plan.workers, len(pending))
    shares = (pending[first::n_shares] for first in range(n_shares))
    running = {pool.submit(work_together, share, plan.parts, plan.code) for share in shares}
    left = list(pending)
    while running:
        ended, running = wait(running, POLL_SECONDS, return_when=FIRST_COMPLETED)
        finished = [trial for trial in left if plan.finished(trial)]
        left = [trial for trial in left if trial not in finished]
        yield from ((trial.run_id, None) for trial in finished)
        for future in ended:
            yield from future.result().items()


@contextmanager
def _worker_pool(plan: Plan, pending: int, waiting: Callable[[], None]) -> Iterator[Executor]:
    """A pool of worker processes, each with a GPU if there are any; none outlives the block."""
    spawn = multiprocessing.get_context("spawn")
    threads = scale_budget(plan.experiment, plan.scale).threads
    most = min(plan.workers, pending)
    with worker_environment(threads), lease(plan.gpus, most, waiting=waiting) as gpus:
        places = gpus * plan.workers_per_gpu
        queue = spawn.SimpleQueue()
        for gpu in places:
            queue.put(gpu)
        pool = ProcessPoolExecutor(
            min(len(places) or most, pending),
            spawn,
            initializer=start,
            initargs=(queue if gpus else None,),
        )
        try:
            yield pool
        except BaseException:
            for process in multiprocessing.active_children():
                process.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _raised(plan: Plan, errors: Mapping[str, str]) -> LabError:
    first = next(trial.run_id for trial in plan.trials if trial.run_id in errors)
    traceback = plan.parts.error_path(first)
    n_runs = counted(len(plan.chosen), "run")
    return LabError(
        f"{len(errors)} of {n_runs} of {plan.experiment.name} raised, "
        f"first {first}: {errors[first].splitlines()[0]} (traceback in {traceback}); "
        "fix the cause and repeat the command."
    )


def _assemble(plan: Plan, project: Project) -> Manifest:
    """Make the tables of all finished runs; write the manifest last, since it vouches for all."""
    from llmlab.method.evidence import tables  # imports pandas, which is slow

    found = [plan.parts.read(trial.run_id) for trial in plan.trials]
    remove_file(plan.folder / MANIFEST)
    tables.write_runs(plan.folder, tables.runs_frame(plan.experiment, [part.row for part in found]))
    tables.write_curves(plan.folder, tables.curves_frame(_curve_rows(found)))
    write_views(plan.folder, {part.run_id: part.views for part in found})
    kept = _publish_kept(plan)
    commit, dirty = plan.code
    manifest = Manifest(
        experiment=plan.experiment.name,
        scale=plan.scale,
        fingerprint=plan.fingerprint,
        git_commit=commit,
        git_dirty=dirty,
        command=f"llmlab run {plan.experiment.name} --scale {plan.scale}",
        started=min(part.started for part in found),
        finished=max(part.finished for part in found),
        host=host(),
        device=" + ".join(sorted({part.device for part in found})),
        libraries=libraries(),
        seeds=tuple(sorted({trial.seed for trial in plan.trials})),
        rows=len(found),
        sha256={
            name: file_sha256(plan.folder / name)
            for name in (tables.RUNS, tables.CURVES, VIEWS)
            if (plan.folder / name).is_file()
        },
        judged_before=judged_before(plan, project),
        kept=kept,
        commits=dict(sorted(Counter(part.commit for part in found).items())),
    )
    write_manifest(plan.folder, manifest)
    _remove_old_parts(plan)
    return manifest


def _curve_rows(parts: Sequence[Part]) -> Iterator[tuple[str, str, int, float]]:
    for part in parts:
        for name, points in part.curves.items():
            for step, value in points:
                yield part.run_id, name, step, value


def _publish_kept(plan: Plan) -> dict[str, str]:
    """Copy the files kept for other experiments to the folder in which those look for them.

    Returns:
        The SHA-256 of each, by its path.
    """
    kept = plan.folder / KEPT
    try:
        with replaced(kept) as new:
            shutil.copytree(plan.parts.kept, new, ignore=asides)
            flush_folder(new)
    except OSError as error:  # of one file, or shutil.Error: a list of those of all
        raise unwritable(kept, _first_cause(error)) from error
    return checksums(kept)


def _first_cause(error: OSError) -> OSError:
    if isinstance(error, shutil.Error):
        _source, _target, why = error.args[0][0]  # such as "[Errno 28] No space left: 'a' -> 'b'"
        return OSError(why.partition("] ")[2].partition(": ")[0])
    return error


def _remove_old_parts(plan: Plan) -> None:
    """Remove the runs of earlier code."""
    for folder in plan.parts.folder.parent.iterdir():
        if folder != plan.parts.folder:
            shutil.rmtree(folder, ignore_errors=True)
