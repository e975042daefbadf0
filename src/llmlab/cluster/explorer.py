"""What a page needs to predict plans by itself: models, accelerators and coefficients as JSON.

The formulas stand once more in `book/views/assets/shared/step_formulas.js`; a test holds them to
those here.
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
)
"""Counts of a shape that the formulas use, besides its fields."""


def step_view(
    opening: Prediction,
    models: Sequence[Shape],
    accelerators: Sequence[Accelerator],
    coefficients: Coefficients,
) -> dict[str, object]:
    """A view of the kind "step_time" that opens on one plan and can move it over the others.

    Args:
        opening: made with these coefficients; its model and accelerator are among the others.
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
    """Sizes of a model, and the counts that follow from them."""
    sizes = {key: value for key, value in asdict(shape).items() if isinstance(value, str | int)}
    return sizes | {name: getattr(shape, name) for name in DERIVED}


def accelerator_json(gpu: Accelerator) -> dict[str, object]:
    """What the catalogue says of an accelerator, without its source."""
    return {key: value for key, value in asdict(gpu).items() if key != "source"}


def plan_json(plan: Plan) -> dict[str, object]:
    """A plan's fields, with names in place of model and accelerator."""
    sizes = {field.name: getattr(plan, field.name) for field in fields(Plan)}
    named = {"model": plan.shape.name, "gpu": plan.accelerator.name}
    return {
        key: value for key, value in sizes.items() if key not in ("shape", "accelerator")
    } | named
