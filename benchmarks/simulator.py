"""GPU-steps per second of the simulated run without display, on one core; aim: 10 million.

A GPU-step is one optimizer step of one GPU, with interruptions, rollbacks and checkpoints.
"""

import random
import time

from report import save

from llmlab.cluster.dynamics.library import loss_dynamics, real_runs, step_dynamics
from llmlab.cluster.show.scenario import Scenario, cast
from llmlab.cluster.show.world import World

AIM = 10e6


def measure(gpus: int, steps: int) -> dict[str, float]:
    """One run from its first line to its last."""
    scenario = Scenario(gpus=gpus, steps=steps, model="7B")
    runs = real_runs()
    casting = cast(scenario, random.Random(0))
    steps_of, losses_of = step_dynamics(runs)[0], loss_dynamics(runs)[0]
    start = time.process_time()
    world = World(scenario, casting, steps_of, losses_of, seed=0)
    for _ in world.strides():
        pass
    seconds = time.process_time() - start
    return {
        "gpu_steps": world.gpu_steps,
        "core_seconds": round(seconds, 2),
        "gpu_steps_per_s": round(world.gpu_steps / seconds),
        "aim": AIM,
    }


if __name__ == "__main__":
    save(
        "simulator",
        {f"{gpus} GPUs": measure(gpus, steps=100_000) for gpus in (64, 1024, 16384)},
    )
