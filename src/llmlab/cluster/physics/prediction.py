"""The simulator's prediction for a plan."""

from dataclasses import asdict, dataclass

from llmlab.cluster.physics.coefficients import Coefficients, calibrated
from llmlab.cluster.physics.memory import MemoryUse, memory_use
from llmlab.cluster.physics.plan import Plan, check
from llmlab.cluster.physics.search import LAYOUT, nearest_fitting
from llmlab.cluster.physics.step import PARTS, StepTime, step_time
from llmlab.method.errors import LabError


@dataclass(frozen=True)
class Prediction:
    """Time, speed and memory of a step.

    Attributes:
        tokens_per_s_per_gpu: tokens per second and accelerator.
        mfu: model FLOPs utilisation: FLOP/s of the model, without recomputation, over the peak at
            the plan's precision (arXiv:2204.02311, appendix B).
        tflops_per_gpu: FLOPs of the model, in 1e12 per second and accelerator.
    """

    plan: Plan
    step: StepTime
    memory: MemoryUse

    @property
    def seconds(self) -> float:
        return self.step.total

    @property
    def tokens_per_s_per_gpu(self) -> float:
        return self.plan.tokens / self.seconds / self.plan.gpus

    @property
    def tflops_per_gpu(self) -> float:
        shape = self.plan.shape
        spared = 2 * shape.matmul_weights if self.plan.adapters else 0  # gradients of the weights
        flops = shape.flops_per_token(self.plan.seq_len) - spared
        return self.tokens_per_s_per_gpu * flops / 1e12

    @property
    def mfu(self) -> float:
        return self.tflops_per_gpu * 1e12 / self.plan.accelerator.peak(self.plan.bits)

    @property
    def fits(self) -> bool:
        return self.memory.total <= self.plan.accelerator.memory

    def shares(self) -> dict[str, float]:
        """Each part's share of the step."""
        return {part: getattr(self.step, part) / self.seconds for part in PARTS}

    def as_json(self) -> dict:
        """The prediction as plain numbers: seconds, bytes, shares."""
        return {
            "plan": plan_as_json(self.plan),
            "step_time_s": self.seconds,
            "tokens_per_s_per_gpu": self.tokens_per_s_per_gpu,
            "model_tflops_per_gpu": self.tflops_per_gpu,
            "mfu_fraction": self.mfu,
            "memory_bytes": {**asdict(self.memory), "total": self.memory.total},
            "fits": self.fits,
            "parts_s": asdict(self.step),
            "shares": self.shares(),
        }


def plan_as_json(plan: Plan) -> dict:
    """A plan's sizes, with model and accelerator by name."""
    sizes = {key: value for key, value in vars(plan).items() if key in Plan.__dataclass_fields__}
    names = {"shape": plan.shape.name, "accelerator": plan.accelerator.name}
    return {**sizes, **names, "dp": plan.dp}


def predict(plan: Plan, coefficients: Coefficients | None = None) -> Prediction:
    """Predict one step, even if it does not fit memory."""
    return Prediction(plan, step_time(plan, coefficients or calibrated()), memory_use(plan))


def predict_checked(plan: Plan) -> Prediction:
    """Like `predict`, for a user's plan.

    Raises:
        LabError: the plan is not feasible, or does not fit memory; names the nearest plan that
            fits.
    """
    check(plan)
    found = predict(plan)
    if found.fits:
        return found
    over = (found.memory.total - plan.accelerator.memory) / 1e9
    nearest = nearest_fitting(plan, calibrated())
    remedy = (
        f"the nearest that fits has {describe_change(plan, nearest)}"
        if nearest
        else "no layout on so few fits: take more GPUs"
    )
    raise LabError(
        f"{plan.shape.name} needs {found.memory.total / 1e9:.1f} GB on each "
        f"{plan.accelerator.name}, {over:.1f} GB more than it has; {remedy}."
    )


def describe_change(plan: Plan, other: Plan) -> str:
    """The differences of `other` from `plan`, in words."""
    changes = [
        f"{name} = {getattr(other, name)}"
        for name in LAYOUT
        if getattr(plan, name) != getattr(other, name)
    ]
    return ", ".join(changes)
