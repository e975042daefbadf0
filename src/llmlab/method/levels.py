"""Levels of axes, and how readers see them and the names of their axes: "learning rate", 2e-4."""

from llmlab.method.declare.experiment import Value

MINUS = "−"

RATE = "learning_rate"

NAMES = {
    "brier": "Brier",
    "daly": "Daly",
    "diebold": "Diebold",
    "gpus": "GPUs",
    "mariano": "Mariano",
    "mcnemar": "McNemar",
    "mfu": "MFU",
    "young": "Young",
}
"""Words that have capital letters."""


def label(name: str) -> str:
    """The name of a column as words; `n_layers` is a number of layers, so it becomes `layers`."""
    words = name.removeprefix("n_").split("_")
    return " ".join(NAMES.get(word, word) for word in words)


def is_number(level: Value) -> bool:
    """Whether a level is a number, so that a sweep over it has two edges."""
    return isinstance(level, int | float) and not isinstance(level, bool)


def level(value: Value, axis: str = RATE) -> str:
    """A level of an axis: `2e-4`, `8`, `4,096`, `yes`, `rslora`.

    A learning rate below 0.1 is written as in code, `5e-2`; other numbers only below 0.01.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        plain = value == 0 or (0.1 if axis == RATE else 0.01) <= abs(value) < 1e5
        return f"{value:,g}" if plain else scientific(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def scientific(x: float) -> str:
    """Scientific notation as in code, with up to three digits: `2e-4`."""
    mantissa, exponent = f"{x:.2e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return signed(f"{mantissa}e{int(exponent)}")


def signed(text: str) -> str:
    """Use a typographic minus, and none before a number that rounds to zero."""
    if not text.startswith("-"):
        return text
    return text.replace("-", MINUS, 1) if any(digit in text for digit in "123456789") else text[1:]
