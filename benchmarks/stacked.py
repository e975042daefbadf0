"""Models of one shape trained at once beside the same models one after another: tokens per second.

The models are those of the experiment `optimizer`, whose conditions differ in schedule, betas,
decay and clipping. The two ways take turns, each in a process of its own; the report is the median
of their ratios. A CPU has enough to do with one model; a GPU is what stacking is for.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from report import in_a_process, save

from llmlab.experiments.optimizer import EXPERIMENT
from llmlab.gpt.study.stacked import run_studies
from llmlab.gpt.study.trials import Study
from llmlab.gpt.training import best_device
from llmlab.method.running.parts import trials

STEPS = 20
SCALE = "gpu" if best_device().type == "cuda" else "laptop"


def studies(steps: int) -> list[Study]:
    """One run of every condition, without validation but at its ends."""
    first = [trial for trial in trials(EXPERIMENT, SCALE, {}, Path()) if trial.seed == 0]
    return [_brief(EXPERIMENT.describe(trial), steps) for trial in first]


def _brief(study: Study, steps: int) -> Study:
    train = replace(study.recipe.train, steps=steps)
    recipe = replace(study.recipe, train=train, validate_every=steps, validation_tokens=1)
    return replace(study, recipe=recipe)


def one_after_another(chosen: Sequence[Study]) -> None:
    for study in chosen:
        study.run()


WAYS: dict[str, Callable[[Sequence[Study]], object]] = {
    "stacked": run_studies,
    "one after another": one_after_another,
}


def timed(way: str) -> dict[str, float]:
    """Seconds and tokens of all runs, after a few steps that prepare all there is."""
    WAYS[way](studies(steps=2)[:2])
    chosen = studies(STEPS)
    start = time.perf_counter()
    WAYS[way](chosen)
    tokens = sum(s.recipe.batch_size * s.recipe.shape.context * STEPS for s in chosen)
    return {"seconds": time.perf_counter() - start, "tokens": tokens}


def compare(rounds: int) -> dict[str, dict[str, float]]:
    turns = [{way: in_a_process(__file__, "--way", way) for way in WAYS} for _ in range(rounds)]
    last = "one after another"
    return {
        way: {
            "tokens_s": round(
                statistics.median(t[way]["tokens"] / t[way]["seconds"] for t in turns)
            ),
            "of_peer": round(
                statistics.median(t[last]["seconds"] / t[way]["seconds"] for t in turns), 2
            ),
        }
        for way in WAYS
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way")
    parser.add_argument("--way", help="used by itself")
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(timed(arguments.way)))
    else:
        save("stacked", compare(arguments.rounds))
