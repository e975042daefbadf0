"""A run on a cluster in simulated time: `simpy` keeps the clock, the physics gives the step.

Processes: training itself, interruptions at the rates of published runs, and smaller trouble. What
a step takes is the physics' time, times the wait for the slowest of all ranks, times the life that
a real run's steps had (`dynamics`).
"""

import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import simpy

from llmlab.cluster.dynamics.loss import LossDynamics, early_loss
from llmlab.cluster.dynamics.steps import StepDynamics
from llmlab.cluster.physics.prediction import Prediction, predict
from llmlab.cluster.show import script
from llmlab.cluster.show.events import (
    Event,
    GpuRow,
    GpuTable,
    Message,
    RunEnd,
    RunStart,
    Saved,
    Step,
    Validation,
)
from llmlab.cluster.show.scenario import Cast, Scenario
from llmlab.cluster.wear.causes import Cause, llama3_causes
from llmlab.cluster.wear.checkpoints import RESTART, Wear, daly, save_seconds

BLOCK_CELLS = 1 << 20
"""Ranks times steps whose noise is drawn at once."""
RANK_SPREAD = 0.004
"""Standard deviation of a rank's own speed, and of its step, as shares: an assumption."""
GPUS_A_NODE = 8


@dataclass
class _Run:
    """What changes while a run goes on."""

    step: int = 0
    saved_step: int = 0
    interruptions: int = 0
    useful_s: float = 0.0
    validation_loss: float | None = None
    loss: float = math.nan


class World:
    """One run; `events` plays it."""

    def __init__(
        self,
        scenario: Scenario,
        casting: Cast,
        steps: StepDynamics,
        losses: LossDynamics,
        seed: int,
        start: float = 0.0,
    ) -> None:
        self.scenario, self.cast = scenario, casting
        self.plan = casting.plan
        self.prediction: Prediction = predict(self.plan)
        self.step_dynamics, self.loss_dynamics = steps, losses
        self.env = simpy.Environment(initial_time=start)
        self.rng = np.random.default_rng(seed)
        self.dice = random.Random(seed)
        self.outbox: deque[Event] = deque()
        self.run = _Run()
        self.rank_speed = 1 + RANK_SPREAD * np.abs(
            self.rng.standard_normal(self.plan.gpus, dtype=np.float32)
        )
        self.gpu_steps = 0
        self.slowest = 0
        self.is_stepping = False
        self.checkpoint_every = scenario.checkpoint_every or self._best_interval()

    def events(self) -> Iterator[Event]:
        """All events in order of time, to the end of the run."""
        training = self.env.process(self._train())
        self.env.process(self._interrupt(training))
        self.env.process(self._trouble())
        while training.is_alive or self.outbox:
            while self.outbox:
                yield self.outbox.popleft()
            if training.is_alive:
                self.env.step()

    def _best_interval(self) -> int:
        """Steps between checkpoints by Daly's formula."""
        wear = Wear(
            between=self.scenario.seconds_between(self.plan.gpus),
            save=save_seconds(self.plan.shape.parameters, self.plan.gpus),
            restart=RESTART,
        )
        return max(1, round(daly(wear) / self.prediction.seconds))

    def _say(self, text: str, **more: object) -> None:
        self.outbox.append(Message(self.env.now, text, **more))

    def _train(self) -> Iterator[simpy.Event]:
        began = self.env.now
        yield from self._start_up(first=True)
        while self.run.step < self.cast.steps:
            try:
                yield from self._steps()
            except simpy.Interrupt as interruption:
                yield from self._recover(interruption.cause)
        yield from self._save(is_export=False)
        yield from self._save(is_export=True)
        self.outbox.append(self._summary(began))

    def _start_up(self, first: bool) -> Iterator[simpy.Event]:
        """Ranks join, libraries come up, data and weights are found."""
        if first:
            self.outbox.append(self._opening())
        for pause, message in script.start_up(self.cast, self.dice, first, self.run.saved_step):
            yield self.env.timeout(pause)
            self.outbox.append(
                Message(self.env.now, message.text, message.level, message.rank, message.source)
            )
        if first:
            self.outbox.append(self._gpu_table(busy=False))

    def _steps(self) -> Iterator[simpy.Event]:
        """Train until the run ends; an interruption leaves by an exception."""
        block = max(BLOCK_CELLS // self.plan.gpus, 16)
        relative, _ = self.step_dynamics.draw(block, self.rng)
        scatter = self.loss_dynamics.draw(block, self.rng).tolist()
        waits, ranks = self._slowest_ranks(block)
        times = (self.prediction.seconds * waits * relative).tolist()
        for seconds, factor, self.slowest in zip(times, scatter, ranks, strict=True):
            if self.run.step >= self.cast.steps:
                return
            self.is_stepping = True
            yield self.env.timeout(seconds)
            self.is_stepping = False
            self.gpu_steps += self.plan.gpus
            self._finish_step(seconds, factor)
            if self._spikes(seconds):
                yield from self._roll_back()
            elif self.run.step % self.scenario.validate_every == 0:
                yield from self._validate()
            if self.run.step % self.checkpoint_every == 0 and self.run.step:
                yield from self._save(is_export=False)

    def _slowest_ranks(self, steps: int) -> tuple[np.ndarray, list[int]]:
        """For each of so many steps, the slowest of all ranks: how much longer than the mean it
        takes (steps,), and which it is."""
        noise = self.rng.standard_normal((steps, self.plan.gpus), dtype=np.float32)
        noise *= RANK_SPREAD
        noise += self.rank_speed
        return noise.max(axis=1) / noise.mean(axis=1), noise.argmax(axis=1).tolist()

    def _finish_step(self, seconds: float, scatter: float) -> None:
        run, plan = self.run, self.plan
        run.step += 1
        run.useful_s += seconds
        run.loss = self._loss(run.step) * scatter
        if run.step % self.scenario.log_every == 0:
            speed = plan.tokens / seconds
            flops = plan.shape.flops_per_token(plan.seq_len) * speed / plan.gpus
            self.outbox.append(
                Step(
                    at=self.env.now,
                    step=run.step,
                    steps=self.cast.steps,
                    loss=run.loss,
                    grad_norm=self._grad_norm(run.step),
                    learning_rate=self._learning_rate(run.step),
                    seconds=seconds,
                    tokens_per_s=speed,
                    tokens_per_s_per_gpu=speed / plan.gpus,
                    mfu=flops / plan.accelerator.peak(plan.bits),
                    tokens=run.step * plan.tokens,
                    left_s=(self.cast.steps - run.step) * self.prediction.seconds,
                )
            )
        if run.step % self.scenario.gpus_every == 0:
            self.outbox.append(self._gpu_table(busy=True))

    def _loss(self, step: int) -> float:
        shape = self.plan.shape
        tokens = float(step * self.plan.tokens)
        warm_up = 300.0 * self.plan.tokens
        return float(early_loss(shape.active_parameters, tokens, shape.vocab, warm_up))

    def _grad_norm(self, step: int) -> float:
        level = 0.12 + 8.0 / (1 + step / 20) ** 0.9
        return level * math.exp(0.12 * self.dice.gauss(0, 1))

    def _learning_rate(self, step: int) -> float:
        """Linear warm-up, then a cosine down to a tenth."""
        peak, warm_up = self.scenario.learning_rate, self.scenario.warmup_steps
        warm_up = min(warm_up, max(self.cast.steps // 10, 1))
        if step < warm_up:
            return peak * step / warm_up
        done = (step - warm_up) / max(self.cast.steps - warm_up, 1)
        return peak * (0.1 + 0.45 * (1 + math.cos(math.pi * min(done, 1.0))))

    def _validate(self) -> Iterator[simpy.Event]:
        seconds = 0.35 * 40 * self.prediction.seconds * (1 + 0.05 * self.dice.random())
        yield self.env.timeout(seconds)
        self.run.validation_loss = self._loss(self.run.step) * (1.01 + 0.002 * self.dice.random())
        self.outbox.append(
            Validation(self.env.now, self.run.step, self.run.validation_loss, seconds)
        )

    def _save(self, is_export: bool) -> Iterator[simpy.Event]:
        parameters = self.plan.shape.parameters
        seconds = save_seconds(parameters, self.plan.gpus) * (1 + 0.2 * self.dice.random())
        yield self.env.timeout(seconds)
        step = self.run.step
        files = script.export_files(parameters) if is_export else script.shards(self.plan)
        folder = f"{self.cast.name}/" + ("export" if is_export else f"step-{step:07d}")
        self.outbox.append(Saved(self.env.now, step, folder, files, seconds, is_export))
        self.run.saved_step = step

    def _spikes(self, seconds: float) -> bool:
        chance = self.scenario.spikes_per_hour * seconds / 3600
        return self.run.step > 50 and self.dice.random() < chance

    def _roll_back(self) -> Iterator[simpy.Event]:
        """The loss jumps; training goes back and skips the data (arXiv:2204.02311, section 5.1)."""
        height = self.run.loss * self.dice.uniform(1.3, 2.2)
        skipped = self.dice.randrange(100, 400)
        self._say(
            f"loss spike at step {self.run.step}: {height:.3f} (was {self.run.loss:.3f}), "
            f"grad norm {self.dice.uniform(40, 900):.1f}",
            level="WARNING",
        )
        self._say(
            f"rolling back to step {self.run.saved_step}, skipping {skipped} batches",
            level="WARNING",
        )
        yield self.env.timeout(30 + 60 * self.dice.random())
        self.run.step = self.run.saved_step

    def _recover(self, cause: Cause) -> Iterator[simpy.Event]:
        """A node is found out and replaced, and the last checkpoint loaded."""
        self.is_stepping = False
        self.run.interruptions += 1
        node = self.dice.randrange(max(self.plan.gpus // GPUS_A_NODE, 1))
        for pause, message in script.failure(cause, node, self.dice, self.run.saved_step):
            yield self.env.timeout(pause)
            self.outbox.append(
                Message(self.env.now, message.text, message.level, message.rank, message.source)
            )
        self.run.step = self.run.saved_step
        yield from self._start_up(first=False)

    def _interrupt(self, training: simpy.Process) -> Iterator[simpy.Event]:
        """Interruptions of the causes that Llama 3 had, in their proportions."""
        causes = llama3_causes()
        weights = [cause.count for cause in causes]
        between = self.scenario.seconds_between(self.plan.gpus)
        while True:
            yield self.env.timeout(self.dice.expovariate(1 / between))
            if self.is_stepping:  # not while it starts or saves
                training.interrupt(self.dice.choices(causes, weights)[0])

    def _trouble(self) -> Iterator[simpy.Event]:
        """Corrected errors, hot and slow ranks: logged, not fatal."""
        per_second = self.scenario.warnings_per_hour / 3600
        while per_second:
            yield self.env.timeout(self.dice.expovariate(per_second))
            rank = self.dice.choice((self.slowest, self.dice.randrange(self.plan.gpus)))
            self._say(script.warning(rank, self.dice), level="WARNING", rank=rank, source="health")

    def _opening(self) -> RunStart:
        plan = self.plan
        return RunStart(
            at=self.env.now,
            name=self.cast.name,
            model=plan.shape.name,
            parameters=plan.shape.parameters,
            gpus=plan.gpus,
            gpu=plan.accelerator.name,
            layout=f"tp={plan.tp} pp={plan.pp} cp={plan.cp} ep={plan.ep} dp={plan.dp}",
            steps=self.cast.steps,
            global_batch=plan.global_batch,
            seq_len=plan.seq_len,
        )

    def _gpu_table(self, busy: bool) -> GpuTable:
        shown = min(self.plan.gpus, 2 * GPUS_A_NODE)
        rows = tuple(self._gpu(index, busy) for index in range(shown))
        others = self.plan.gpus - shown
        rest = self._gpu(shown, busy) if others else None
        gpu = self.plan.accelerator
        return GpuTable(self.env.now, gpu.name, gpu.memory / 1e9, rows, others, rest)

    def _gpu(self, index: int, busy: bool) -> GpuRow:
        gpu, dice = self.plan.accelerator, self.dice
        load = 0.9 + 0.08 * dice.random() if busy else 0.02 * dice.random()
        drawn = (0.12 + 0.83 * load) * gpu.power * (1 + 0.02 * dice.gauss(0, 1))
        warmth = 28 + 40 * drawn / gpu.power + 3 * float(self.rank_speed[index] - 1) / RANK_SPREAD
        held = self.prediction.memory.total if busy else 1.4e9
        return GpuRow(
            node=index // GPUS_A_NODE,
            gpu=index % GPUS_A_NODE,
            utilisation=min(100.0, 100 * (load + 0.05)) if busy else 0.0,
            memory_gb=held * (1 + 0.01 * dice.random()) / 1e9,
            temperature_c=warmth,
            power_w=min(drawn, gpu.power),
        )

    def _summary(self, began: float) -> RunEnd:
        seconds = self.env.now - began
        kept = self.cast.steps * self.prediction.seconds
        return RunEnd(
            at=self.env.now,
            name=self.cast.name,
            steps=self.run.step,
            loss=self.run.loss,
            validation_loss=self.run.validation_loss,
            tokens=self.run.step * self.plan.tokens,
            seconds=seconds,
            interruptions=self.run.interruptions,
            goodput=min(kept / seconds, 1.0),
        )
