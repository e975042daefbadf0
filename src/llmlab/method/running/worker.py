"""The work of a worker process: run trials, keep their parts. Imports nothing that loads NumPy.

The number of threads and the GPU are set in the environment, which libraries read only once.
"""

import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from types import ModuleType
from typing import get_args

from llmlab.method.declare.catalog import load_experiment, suggestion
from llmlab.method.declare.experiment import Experiment, Outcome, Status, Trial
from llmlab.method.errors import LabError
from llmlab.method.evidence.provenance import GitState, device
from llmlab.method.files import write_file
from llmlab.method.running.parts import Part, Parts
from llmlab.method.running.trace import start_trace

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


GPU = "LLMLAB_GPU"
"""Environment variable with the GPU reserved for a worker process."""


def worker_environment(threads: int) -> AbstractContextManager[None]:
    """The environment for processes started in this block: deterministic, `threads` threads."""
    fixed = {"PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    return environment(fixed | dict.fromkeys(THREAD_VARIABLES, str(threads)))


@contextmanager
def environment(more: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for processes started in this block, and restore them after it."""
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def start(gpus: SimpleQueue | None) -> None:
    """Prepare a worker process: take one of the GPUs, and die with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    threading.Thread(target=_die_with_parent, daemon=True).start()
    start_trace()
    if gpus is not None:
        os.environ[GPU] = os.environ["CUDA_VISIBLE_DEVICES"] = gpus.get()


def work(trial: Trial, parts: Parts, code: GitState) -> str | None:
    """Run one trial and keep its row and curves.

    Args:
        code: the commit of the code.

    Returns:
        None, or the error if the run raised; the traceback is then in `parts`.

    Raises:
        LabError: the run raised it (its cause would stop the other runs, too); the outcome is not
            what the experiment declares; or the part cannot be written.
    """
    experiment = load_experiment(trial.experiment)
    errors = _keep(experiment, [trial], lambda: [experiment.run(trial)], parts, code)
    return errors.get(trial.run_id)


def work_together(trials: Sequence[Trial], parts: Parts, code: GitState) -> dict[str, str]:
    """Run trials of a `Sweep` in the groups that it forms, and keep each group's parts.

    A group is in flight as a whole: a kill loses all of it, but nothing of the groups before it.
    Its time is divided evenly among its runs; each reports the memory of the whole group.

    Returns:
        The error of each run that raised, by run id; raises as `work` does.
    """
    sweep = load_experiment(trials[0].experiment)
    left, errors = list(trials), {}
    try:
        for group, run in sweep.together(sweep, trials):
            errors |= _keep(sweep, group, run, parts, code)
            left = [trial for trial in left if trial not in group]
    except LabError:
        raise
    except Exception as error:  # raised while forming groups
        errors |= _noted(error, left, parts)
    return errors


def _keep(
    experiment: Experiment,
    trials: Sequence[Trial],
    run: Callable[[], Sequence[Outcome]],
    parts: Parts,
    code: GitState,
) -> dict[str, str]:
    """Run trials that end together and write their parts; return errors by run id."""
    started = _now()
    _reset_peak_memory()
    clock = time.perf_counter()
    try:
        outcomes = run()
        _require_gpu()
        seconds = (time.perf_counter() - clock) / len(trials)
        told = {"started": started, "finished": _now(), "device": device(), "commit": str(code)}
        found = [
            _part(experiment, trial, outcome, seconds, told)
            for trial, outcome in zip(trials, outcomes, strict=True)
        ]
    except LabError:
        raise
    except (Exception, SystemExit) as error:
        return _noted(error, trials, parts)
    for part in found:
        parts.write(part)
    return {}


def _noted(error: BaseException, trials: Sequence[Trial], parts: Parts) -> dict[str, str]:
    """Write the traceback that ended these trials; return the error by run id."""
    for trial in trials:
        write_file(parts.error_path(trial.run_id), "".join(traceback.format_exception(error)))
    told = traceback.format_exception_only(error)[-1].strip()
    return {trial.run_id: told for trial in trials}


def _part(
    experiment: Experiment,
    trial: Trial,
    outcome: Outcome,
    seconds: float,
    told: Mapping[str, str],
) -> Part:
    """The part of one run, after a check that the outcome is as declared."""
    _check(experiment, trial, outcome)
    curves = {name: _points(points) for name, points in outcome.curves.items()}
    return Part(_row(trial, outcome, seconds), curves, dict(outcome.views), **told)


def _die_with_parent() -> None:
    """Exit as soon as the parent has ended or was killed, so that no orphan stays behind."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _row(trial: Trial, outcome: Outcome, seconds: float) -> dict[str, object]:
    memory = _peak_memory() if outcome.peak_memory_mib is None else outcome.peak_memory_mib
    return {
        "run_id": trial.run_id,
        **trial.condition,
        "seed": trial.seed,
        **{name: float(value) for name, value in outcome.metrics.items()},
        "status": outcome.status,
        "seconds": round(seconds, 3),
        "tokens": int(outcome.tokens),
        "peak_memory_mib": round(float(memory), 1),
    }


def _points(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    return [(int(step), float(value)) for step, value in points]


def _check(experiment: Experiment, trial: Trial, outcome: Outcome) -> None:
    """Compare the outcome with the declaration of the experiment."""
    metrics = [metric.name for metric in experiment.metrics]
    curves = [curve.name for curve in experiment.curves]
    missing = [name for name in metrics if name not in outcome.metrics]
    unknown = _unknown(outcome.metrics, metrics) + _unknown(outcome.curves, curves)
    if missing or unknown:
        raise LabError(
            f"run {trial.run_id} of {experiment.name} must return the metrics and curves that the "
            f"experiment declares (missing: {', '.join(missing) or 'none'}; "
            f"unknown: {', '.join(unknown) or 'none'}); correct its run()."
        )
    if outcome.status not in get_args(Status):
        raise LabError(
            f"run {trial.run_id} of {experiment.name} returned the status '{outcome.status}'; "
            f"return one of {', '.join(get_args(Status))}."
        )


def _unknown(given: Mapping[str, object], declared: list[str]) -> list[str]:
    return [f"{name}{suggestion(name, declared)}" for name in given if name not in declared]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _on_gpu() -> ModuleType | None:
    """PyTorch, if a run has loaded it and uses a GPU."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_initialized() else None


def _require_gpu() -> None:
    """Check that a run for which a GPU was reserved can use it.

    Raises:
        LabError: PyTorch is loaded but does not see the GPU.
    """
    torch = sys.modules.get("torch")
    if os.environ.get(GPU) and torch is not None and not torch.cuda.is_available():
        raise LabError(
            f"PyTorch {torch.__version__} cannot use the GPU of this machine; install a build for "
            "CUDA, or hide the GPU with CUDA_VISIBLE_DEVICES= to run on the CPU."
        )


def _reset_peak_memory() -> None:
    """Reset the peak memory that Linux and PyTorch recorded for earlier runs of this process."""
    if torch := _on_gpu():
        torch.cuda.reset_peak_memory_stats()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:  # another system, or a container that forbids it
        return


def _peak_memory() -> float:
    """Peak memory of a run in MiB: of the GPU if it used one, otherwise of this process."""
    if torch := _on_gpu():
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1024**2 if sys.platform == "darwin" else 1024)
