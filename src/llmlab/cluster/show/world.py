"""A run on a cluster in simulated time: `simpy` keeps the clock, the physics gives step times.

Processes: training itself, interruptions at the rates of published runs, and smaller problems. The
time of a step is the physics' time, which includes the wait for the slowest rank, times the scatter
of a real run's steps (`dynamics`), drawn as in the test of looking real. Training moves from one
halt (validation, checkpoint, spike) to the next in one stride of many steps, which are expanded
only for display.
"""

import heapq
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
import simpy

from llmlab.cluster.dynamics.loss import LossDynamics, early_loss
from llmlab.cluster.dynamics.steps import START, StepDynamics
from llmlab.cluster.physics.hardware import GPUS_PER_NODE
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
from llmlab.cluster.show.fleet import RANK_SPREAD, Fleet
from llmlab.cluster.show.scenario import Cast, Scenario
from llmlab.cluster.wear.causes import Cause, llama3_causes
from llmlab.cluster.wear.checkpoints import RESTART, Wear, daly, save_seconds

BLOCK = 4096
"""Most steps per stride."""
FIRST_SPIKE = 50
"""First step at which the loss may spike."""
VALIDATION_BATCHES = 40
"""Batches of one validation."""
SAMPLE = 64
"""About how many of the GPUs that are not shown stand for all of these in their mean."""
FORWARD_SHARE = 0.35
"""Share of a step's time for the forward pass and its communication."""


@dataclass
class _Run:
    """The mutable state of a run.

    `may_fall_back` is false from a rollback to the next checkpoint, so that each rollback starts
    from a later step than the previous one, and every run ends.
    """

    step: int = 0
    saved_step: int = 0
    interruptions: int = 0
    may_fall_back: bool = True
    validation_loss: float | None = None
    loss: float = math.nan


@dataclass(frozen=True)
class Stride:
    """Consecutive steps.

    Attributes:
        first: number of the first step.
        ends: simulated end time of each step (steps,).
        seconds: duration of each step (steps,).
        losses: loss of each step (steps,).
    """

    first: int
    ends: np.ndarray
    seconds: np.ndarray
    losses: np.ndarray


class World:
    """One run: `events` plays it step by step, `strides` as fast as possible."""

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
        self.display_dice = random.Random(seed + 1)  # so that display never changes the run
        self.outbox: list[Event] = []
        self.run = _Run()
        self.fleet = Fleet(self.plan.gpus, self.rng)
        self.gpu_steps = 0
        self.is_stepping = False
        self.ahead = np.empty(0)  # seconds of the next steps
        self.scatter = np.empty(0)  # of the next losses
        self.stride: Stride | None = None
        self.checkpoint_every = scenario.checkpoint_every or self._best_interval()

    def events(self) -> Iterator[Event]:
        """All events in chronological order, to the end of the run."""
        for stride, happenings in self.strides():
            shown = self._shown(stride) if stride else iter(())
            yield from heapq.merge(shown, happenings, key=lambda event: event.at)

    def strides(self) -> Iterator[tuple[Stride | None, list[Event]]]:
        """Strides of steps, each with the other events until its end, in chronological order."""
        training = self.env.process(self._train())
        self.env.process(self._interrupt(training))
        self.env.process(self._trouble())
        while training.is_alive:
            self.env.step()
            if self.stride or (self.outbox and not self.is_stepping):
                found = self.stride, self.outbox
                self.stride, self.outbox = None, []
                yield found
        yield None, self.outbox

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
        if self.run.saved_step < self.run.step:
            yield from self._save(is_export=False)
        yield from self._save(is_export=True)
        self.outbox.append(self._summary(began))

    def _start_up(self, first: bool) -> Iterator[simpy.Event]:
        """Start up: ranks join, libraries initialise, data and weights are loaded."""
        if first:
            self.outbox.append(self._opening())
        for pause, message in script.start_up(self.cast, self.dice, first, self.run.saved_step):
            yield self.env.timeout(pause)
            self.outbox.append(
                Message(self.env.now, message.text, message.level, message.rank, message.source)
            )
        if first:
            self.outbox.append(self._gpu_table(self.env.now, busy=False))
        self.ahead = self.prediction.seconds * np.exp(self.step_dynamics.start)

    def _steps(self) -> Iterator[simpy.Event]:
        """Train to the next halt; an interruption raises an exception."""
        seconds = self._next_seconds()
        spike = self._first_spike(seconds)
        if spike is not None:
            seconds = seconds[: spike + 1]
        ends = self.env.now + np.cumsum(seconds)
        self.is_stepping = True
        try:
            yield self.env.timeout(float(ends[-1] - self.env.now))
        finally:
            self.is_stepping = False
            done = int(np.searchsorted(ends, self.env.now + 1e-6, side="right"))
            self._finish(seconds[:done], ends[:done])
        if spike is not None:
            yield from self._roll_back()
            return
        if self.run.step % self.scenario.validate_every == 0:
            yield from self._validate()
        if self.run.step % self.checkpoint_every == 0:
            yield from self._save(is_export=False)

    def _next_seconds(self) -> np.ndarray:
        """Seconds of each step to the next validation, checkpoint or end."""
        step = self.run.step
        halts = (self.scenario.validate_every, self.checkpoint_every)
        count = min(BLOCK, self.cast.steps - step, *(every - step % every for every in halts))
        while len(self.ahead) < count:  # a run as long as the real one, so that it drifts as fast
            relative, _ = self.step_dynamics.draw(START + self.step_dynamics.length, self.rng)
            self.ahead = np.append(self.ahead, self.prediction.seconds * relative[START:])
        seconds, self.ahead = self.ahead[:count], self.ahead[count:]
        return seconds

    def _next_scatter(self, count: int) -> np.ndarray:
        """Factors on the trend of the loss for the next steps."""
        if len(self.scatter) < count:
            self.scatter = np.append(self.scatter, self.loss_dynamics.draw(BLOCK, self.rng))
        scatter, self.scatter = self.scatter[:count], self.scatter[count:]
        return scatter

    def _first_spike(self, seconds: np.ndarray) -> int | None:
        """The index of the step at which the loss jumps, or None."""
        chance = self.scenario.spikes_per_hour * seconds / 3600
        hits = np.flatnonzero(self.rng.random(len(seconds)) < chance)
        late = hits[hits + self.run.step > FIRST_SPIKE]
        return int(late[0]) if len(late) and self.run.may_fall_back else None

    def _finish(self, seconds: np.ndarray, ends: np.ndarray) -> None:
        """Commit the finished steps."""
        count = len(seconds)
        if not count:
            return
        run = self.run
        losses = self._loss(np.arange(run.step + 1, run.step + count + 1))
        losses *= self._next_scatter(count)
        self.stride = Stride(run.step + 1, ends, seconds, losses)
        run.step += count
        run.loss = float(losses[-1])
        self.gpu_steps += count * self.plan.gpus

    def _shown(self, stride: Stride) -> Iterator[Event]:
        """The logged steps of a stride, and the tables of GPUs between them."""
        series = zip(stride.ends, stride.seconds, stride.losses, strict=True)
        for number, (at, seconds, loss) in enumerate(series, stride.first):
            if number % self.scenario.log_every == 0:
                yield self._step(number, float(at), float(seconds), float(loss))
            if number % self.scenario.gpus_every == 0:
                yield self._gpu_table(float(at), busy=True)

    def _step(self, number: int, at: float, seconds: float, loss: float) -> Step:
        plan = self.plan
        speed = plan.tokens / seconds
        flops = plan.shape.flops_per_token(plan.seq_len) * speed / plan.gpus
        return Step(
            at=at,
            step=number,
            steps=self.cast.steps,
            loss=loss,
            grad_norm=self._grad_norm(number),
            learning_rate=self._learning_rate(number),
            seconds=seconds,
            tokens_per_s=speed,
            tokens_per_s_per_gpu=speed / plan.gpus,
            mfu=flops / plan.accelerator.peak(plan.bits),
            tokens=number * plan.tokens,
            left_s=(self.cast.steps - number) * self.prediction.seconds,
        )

    def _loss(self, step: np.ndarray | int) -> np.ndarray:
        """The trend of the loss at each step."""
        shape = self.plan.shape
        tokens = np.asarray(step, dtype=float) * self.plan.tokens
        warm_up = 300.0 * self.plan.tokens
        return early_loss(shape.active_parameters, tokens, shape.vocab, warm_up)

    def _grad_norm(self, step: int) -> float:
        level = 0.12 + 8.0 / (1 + step / 20) ** 0.9
        return level * math.exp(0.12 * self.display_dice.gauss(0, 1))

    def _learning_rate(self, step: int) -> float:
        """Linear warm-up, then a cosine down to a tenth."""
        peak, warm_up = self.scenario.learning_rate, self.scenario.warmup_steps
        warm_up = min(warm_up, max(self.cast.steps // 10, 1))
        if step < warm_up:
            return peak * step / warm_up
        done = (step - warm_up) / max(self.cast.steps - warm_up, 1)
        return peak * (0.1 + 0.45 * (1 + math.cos(math.pi * min(done, 1.0))))

    def _validate(self) -> Iterator[simpy.Event]:
        seconds = (
            FORWARD_SHARE
            * VALIDATION_BATCHES
            * self.prediction.seconds
            * (1 + 0.05 * self.dice.random())
        )
        yield self.env.timeout(seconds)
        level = float(self._loss(self.run.step))
        self.run.validation_loss = level * (1.01 + 0.002 * self.dice.random())
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
        self.run.may_fall_back = True

    def _roll_back(self) -> Iterator[simpy.Event]:
        """Roll back after a loss spike and skip data (arXiv:2204.02311, section 5.1)."""
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
        self._fall_back()

    def _fall_back(self) -> None:
        self.run.step = self.run.saved_step
        self.run.may_fall_back = False

    def _recover(self, cause: Cause) -> Iterator[simpy.Event]:
        """Replace the failed node and load the last checkpoint."""
        self.run.interruptions += 1
        node = self.dice.randrange(max(self.plan.gpus // GPUS_PER_NODE, 1))
        for pause, message in script.failure(cause, node, self.dice, self.run.saved_step):
            yield self.env.timeout(pause)
            self.outbox.append(
                Message(self.env.now, message.text, message.level, message.rank, message.source)
            )
        self._fall_back()
        yield from self._start_up(first=False)

    def _interrupt(self, training: simpy.Process) -> Iterator[simpy.Event]:
        """Interrupt training, with the causes of Llama 3 in their proportions."""
        causes = llama3_causes()
        weights = [cause.count for cause in causes]
        between = self.scenario.seconds_between(self.plan.gpus)
        while True:
            yield self.env.timeout(self.dice.expovariate(1 / between))
            if self.is_stepping and self.run.may_fall_back:  # not while it starts or saves
                training.interrupt(self.dice.choices(causes, weights)[0])

    def _trouble(self) -> Iterator[simpy.Event]:
        """Log non-fatal problems: corrected errors, hot and slow ranks."""
        per_second = self.scenario.warnings_per_hour / 3600
        while per_second:
            yield self.env.timeout(self.dice.expovariate(per_second))
            slow, any_rank = (
                self.fleet.slowest(self.dice.random()),
                self.dice.randrange(self.plan.gpus),
            )
            rank = self.dice.choice((slow, any_rank))
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

    def _gpu_table(self, at: float, busy: bool) -> GpuTable:
        shown = min(self.plan.gpus, 2 * GPUS_PER_NODE)
        rows = tuple(self._gpu(index, busy) for index in range(shown))
        others = range(shown, self.plan.gpus)
        sample = others[:: max(len(others) // SAMPLE, 1)]
        rest = _mean([self._gpu(index, busy) for index in sample]) if others else None
        gpu = self.plan.accelerator
        return GpuTable(at, gpu.name, gpu.memory / 1e9, rows, len(others), rest)

    def _gpu(self, index: int, busy: bool) -> GpuRow:
        gpu, dice = self.plan.accelerator, self.display_dice
        load = 0.9 + 0.08 * dice.random() if busy else 0.02 * dice.random()
        drawn = (0.12 + 0.83 * load) * gpu.power * (1 + 0.02 * dice.gauss(0, 1))
        warmth = 28 + 40 * drawn / gpu.power + 3 * float(self.fleet.speeds[index] - 1) / RANK_SPREAD
        held = (self.prediction.memory.total if busy else 1.4e9) * (1 + 0.01 * dice.random())
        return GpuRow(
            node=index // GPUS_PER_NODE,
            gpu=index % GPUS_PER_NODE,
            utilisation=min(100.0, 100 * (load + 0.05)) if busy else 0.0,
            memory_gb=min(held, gpu.memory) / 1e9,
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


def _mean(rows: Sequence[GpuRow]) -> GpuRow:
    """The mean of several GPUs, in the place of the first."""
    names = ("utilisation", "memory_gb", "temperature_c", "power_w")
    return replace(rows[0], **{name: fmean(getattr(row, name) for row in rows) for name in names})
