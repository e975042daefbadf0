"""The data that a page needs to predict plans: models, accelerators and coefficients as JSON.

`book/views/assets/shared/step_formulas.js` repeats the formulas; a test checks that both agree.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields

from llmlab.cluster.physics.coefficients import Coefficients
from llmlab.cluster.physics.hardware import Accelerator
from llmlab.cluster.physics.plan import Plan
from llmlab.cluster.physics.prediction import Prediction
from llmlab.cluster.physics.shapes import Shape
from llmlab.cluster.reports import LABELS

DERIVED = (
    "value_dim",
    "moe_layers",
    "feed_forward_matrices",
    "parameters",
    "attention_weights",
    "expert_weights",
    "matmul_weights",
    "every_second_share",
    "last_share",
)
"""Counts of a shape that the formulas use, besides its fields."""


def step_view(
    opening: Prediction,
    models: Sequence[Shape],
    accelerators: Sequence[Accelerator],
    coefficients: Coefficients,
) -> dict[str, object]:
    """A view of the kind "step_time" that opens on one plan and lets readers change it.

    Args:
        opening: prediction with these coefficients for a model and an accelerator in the lists.
    """
    return {
        "kind": "step_time",
        "models": [model_json(shape) for shape in models],
        "accelerators": [accelerator_json(gpu) for gpu in accelerators],
        "coefficients": asdict(coefficients),
        "plan": plan_json(opening.plan),
        "parts": [
            {"name": part, "label": label, "size": getattr(opening.step, part)}
            for part, label in LABELS.items()
        ],
        "memory": [
            {"name": part.name, "label": part.name, "size": getattr(opening.memory, part.name)}
            for part in fields(opening.memory)
        ],
    }


def model_json(shape: Shape) -> dict[str, object]:
    """Sizes of a model, and the counts derived from them."""
    sizes = {key: value for key, value in asdict(shape).items() if isinstance(value, str | int)}
    return sizes | {name: getattr(shape, name) for name in DERIVED}


def accelerator_json(gpu: Accelerator) -> dict[str, object]:
    """The catalogue entry of an accelerator, without its source."""
    return {key: value for key, value in asdict(gpu).items() if key != "source"}


def plan_json(plan: Plan) -> dict[str, object]:
    """A plan's fields, with model and accelerator by name."""
    sizes = {field.name: getattr(plan, field.name) for field in fields(Plan)}
    named = {"model": plan.shape.name, "gpu": plan.accelerator.name}
    return {
        key: value for key, value in sizes.items() if key not in ("shape", "accelerator")
    } | named
