"""The views that runs leave (`llmlab.method.evidence.views`), checked once, to be drawn.

A view is plain JSON; its "kind" says what else it holds. Pages show it twice: as a widget
(`explorers`) and as a still picture (`stills`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from llmlab.book import readings
from llmlab.method.declare.catalog import suggestion
from llmlab.method.declare.experiment import Value
from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import Evidence

Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Byte = Annotated[int, Field(ge=0, le=255)]
Tokens = Annotated[list[str], Field(min_length=1)]
Weights = list[list[list[list[Byte]]]]
"""Attention by layer, head, query and key, of 255; a query sees the keys up to itself."""

Curve = list[tuple[int, Number]]
Item = TypeVar("Item")
Many = Annotated[list[Item], Field(min_length=1)]


@dataclass(frozen=True)
class AttentionText:
    """One text at one checkpoint, and where each token of it looks."""

    tokens: Tokens
    weights: Weights
    checkpoint: int | None = None

    def __post_init__(self) -> None:
        rows = list(range(1, len(self.tokens) + 1))
        for layer in self.weights:
            for head in layer:
                if [len(row) for row in head] != rows:
                    raise ValueError("attention is not one row per token, each up to that token")

    @property
    def n_layers(self) -> int:
        return len(self.weights)

    @property
    def n_heads(self) -> int:
        return len(self.weights[0])


@dataclass(frozen=True)
class Attention:
    """Where the heads of a model look.

    Attributes:
        scores: by name, such as "induction", a number for each layer and head.
    """

    kind: Literal["attention"]
    texts: Many[AttentionText]
    n_layers: Annotated[int, Field(ge=1)]
    n_heads: Annotated[int, Field(ge=1)]
    scores: dict[str, list[list[Number]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        of_heads = [*(text.weights for text in self.texts), *self.scores.values()]
        if any(
            [len(layer) for layer in layers] != [self.n_heads] * self.n_layers
            for layers in of_heads
        ):
            raise ValueError(f"not all has {self.n_layers} layers of {self.n_heads} heads")

    @property
    def telling_head(self) -> tuple[int, int]:
        """Layer and head with the highest score of the first kind; the first head without one."""
        scores = next(iter(self.scores.values()), [[0.0]])
        return max(
            ((layer, head) for layer, row in enumerate(scores) for head in range(len(row))),
            key=lambda place: scores[place[0]][place[1]],
        )


@dataclass(frozen=True)
class LensLayer:
    """What one layer would say at each position: up to three guesses, and what each costs.

    Attributes:
        top: guesses with their probabilities, the likeliest first.
        loss: nats; None where no next token is known.
        name: "" lets the place of the layer name it.
    """

    top: list[Annotated[list[tuple[str, Share]], Field(min_length=1)]]
    loss: list[Number | None]
    name: str = ""


@dataclass(frozen=True)
class LensText:
    tokens: Tokens
    layers: Many[LensLayer]

    def __post_init__(self) -> None:
        if any(len(layer.top) != len(self.tokens) for layer in self.layers):
            raise ValueError("a layer does not have guesses for each token")

    @property
    def layer_names(self) -> list[str]:
        last = len(self.layers) - 1
        named = ["embedding", *(f"layer {n}" for n in range(1, last)), f"layer {last} (output)"]
        return [layer.name or name for layer, name in zip(self.layers, named, strict=False)]


@dataclass(frozen=True)
class LogitLens:
    """What the model would say if it stopped at a layer (nostalgebraist 2020)."""

    kind: Literal["logit_lens"]
    texts: Many[LensText]


@dataclass(frozen=True)
class ActivationStep:
    """The statistics of each layer at one step: its name, and numbers by their names."""

    layers: Many[Annotated[dict[str, Number | str], Field(min_length=2)]]
    step: int | None = None

    def __post_init__(self) -> None:
        if any(not isinstance(layer.get("name"), str) for layer in self.layers):
            raise ValueError("a layer has no name")
        if any(list(layer) != list(self.layers[0]) for layer in self.layers):
            raise ValueError("the layers do not have the same statistics")

    @property
    def names(self) -> list[str]:
        return [str(layer["name"]) for layer in self.layers]

    @property
    def statistics(self) -> list[str]:
        return [name for name in self.layers[0] if name != "name"]


@dataclass(frozen=True)
class Activations:
    """Statistics of the residual stream, at one checkpoint or several."""

    kind: Literal["activations"]
    checkpoints: Many[ActivationStep]


@dataclass(frozen=True)
class Step:
    """What a model was at one step of its training; what was not looked at is None."""

    step: int
    train_loss: Number | None = None
    validation_loss: Number | None = None
    sample: str | None = None
    attention: AttentionText | None = None


@dataclass(frozen=True)
class Checkpoints:
    """A model while it learns.

    Attributes:
        curve: "train" and "validation", loss by step.
    """

    kind: Literal["checkpoints"]
    steps: Many[Step]
    curve: dict[str, Curve]


@dataclass(frozen=True)
class Samples:
    """Texts that models wrote: "text", perhaps "prompt", and the levels that tell them apart."""

    kind: Literal["samples"]
    samples: Many[dict[str, str | int | float]]

    def __post_init__(self) -> None:
        if any(not isinstance(sample.get("text"), str) for sample in self.samples):
            raise ValueError("a sample has no text")

    @property
    def facets(self) -> list[str]:
        """What the samples differ in, besides their text."""
        names = dict.fromkeys(name for sample in self.samples for name in sample)
        return [
            name
            for name in names
            if name not in ("text", "prompt")
            and len({sample.get(name) for sample in self.samples}) > 1
        ]


View = Attention | LogitLens | Activations | Checkpoints | Samples
KINDS: Mapping[str, type] = {
    "attention": Attention,
    "logit_lens": LogitLens,
    "activations": Activations,
    "checkpoints": Checkpoints,
    "samples": Samples,
}


def read_view(raw: Mapping[str, Any], where: str) -> View:
    """The view that plain JSON holds.

    Args:
        where: what names the view in an error.

    Raises:
        LabError: its kind is unknown, or something is missing or wrong in it.
    """
    kind = raw.get("kind")
    if kind not in KINDS:
        raise LabError(
            f"{where} is of the kind {kind!r}, which no page can show"
            f"{suggestion(str(kind), KINDS)}; kinds are {', '.join(KINDS)}."
        )
    try:
        return TypeAdapter(KINDS[kind]).validate_python(_of_one_form(raw))
    except ValidationError as error:
        raise LabError(
            f"{where} is no complete view of the kind {kind}: {_complaint(error)}; "
            "rerun what made it."
        ) from None


def find_view(
    evidence: Evidence, name: str, condition: Mapping[str, Value], seed: int
) -> tuple[str, Mapping[str, Any]]:
    """The id of one run, and its view of this name as plain JSON.

    Raises:
        LabError: the condition leaves an axis open or has no such run, or the run has no such view.
    """
    run_id = readings.find_run(evidence, condition, seed)
    views = evidence.views.get(run_id, {})
    if name in views:
        return run_id, views[name]
    seen = ", ".join(views) or "none"
    raise LabError(
        f"{run_id} of {evidence.experiment.name} at {evidence.scale} scale has no view "
        f"'{name}'{suggestion(name, views)}; it has {seen}."
    )


def _of_one_form(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Activations at one checkpoint as a list of one."""
    if raw["kind"] != "activations" or "checkpoints" in raw:
        return raw
    step = {key: raw[key] for key in ("layers",) if key in raw} | {"step": raw.get("checkpoint")}
    return {"kind": "activations", "checkpoints": [step]}


def _complaint(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"'{place}' is missing"
    message = first["msg"].removeprefix("Value error, ")
    return f"in '{place}', {message[0].lower()}{message[1:]}" if place else message
