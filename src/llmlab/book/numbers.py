"""Format numbers for readers: few digits, a unit, and an interval in the same unit."""

import math

from llmlab.method.levels import MINUS, scientific, signed
from llmlab.method.levels import level as level

SHARES = {"share", "fraction"}
"""Units of numbers from 0 to 1 that are shown in per cent."""

SMALLEST = 1e-4
"""Smaller numbers are shown with a power of ten."""

LARGEST = 1e9
"""So are numbers from here on."""


def number(x: float, unit: str = "1") -> str:
    """`x` with its unit: three significant digits, or per cent with one decimal for a share."""
    if unit in SHARES:
        return f"{bare(x, unit)} %"
    return bare(x) + suffix(unit)


def interval(low: float, high: float, unit: str = "1") -> str:
    """Both ends of an interval, with the unit once."""
    end = " %" if unit in SHARES else suffix(unit)
    return f"{' to '.join(_ends(low, high, unit))}{end}"


def plus_minus(mean: float, half: float, unit: str = "1") -> str:
    """A mean ± half its interval, no unit: two digits of the half, up to four of the mean.

    A half that would have no digit but zeros is 0.
    """
    if unit in SHARES:
        mean, half, decimals = 100 * mean, 100 * half, 1
    else:
        decimals = max(0, min(1 - _size(half), 3 - _size(mean)))
        if not round(half, decimals):
            return f"{bare(mean)} ± 0"
    return f"{signed(f'{mean:,.{decimals}f}')} ± {half:,.{decimals}f}"


def change(x: float, unit: str = "1") -> str:
    """A difference with its sign; differences of shares are percentage points."""
    return _plus(bare(x, unit)) + _change_suffix(unit)


def changes(low: float, high: float, unit: str = "1") -> str:
    """Both ends of the interval of a difference, with the unit once."""
    ends = map(_plus, _ends(low, high, unit))
    return f"{' to '.join(ends)}{_change_suffix(unit)}"


def deviation(x: float, decimals: int = 1) -> str:
    """A relative error with its sign, in per cent."""
    shown = f"{100 * x:+.{decimals}f}"
    return (signed(shown) if any(digit in shown for digit in "123456789") else shown[1:]) + " %"


def correlation(x: float) -> str:
    """A rank correlation with its sign, three decimals."""
    return ("+" if x > 0 else "") + signed(f"{x:.3f}")


def declared(x: float, unit: str = "1") -> str:
    """A margin or a tolerance as a difference, with all the digits of its declaration."""
    shown = f"{(100 * x if unit in SHARES else x) + 0.0:.6g}"  # + 0.0 avoids "-0"
    return signed(shown) + _change_suffix(unit)


def bare(x: float, unit: str = "1") -> str:
    """The digits alone; a share in per cent."""
    if math.isnan(x):
        return "none"
    if unit in SHARES:
        return signed(f"{100 * x:.1f}")
    if x == 0 or SMALLEST <= abs(x) < LARGEST:
        return signed(_plain(x))
    return scientific(x)


def brief(x: float) -> str:
    """Two significant digits, for numbers that matter by their size alone: `0.0093`, `3.6e-7`."""
    rounded = float(f"{x:.1e}")
    if rounded == 0 or abs(rounded) >= SMALLEST:
        return signed(f"{rounded:,g}")
    return scientific(rounded)


def p_value(p: float) -> str:
    """`p = 0.012`, or `p < 0.001`."""
    return "p < 0.001" if p < 1e-3 else f"p = {p:.2g}"


def sample(n: int) -> str:
    """`n = 10`, with non-breaking spaces."""
    return f"n = {n}".replace(" ", "\N{NO-BREAK SPACE}")


def bracket(unit: str) -> str:
    """The unit in brackets, to follow the name of an axis or a column: ` (s)`; empty if none."""
    return f" ({unit_name(unit)})" if unit_name(unit) else ""


def unit_name(unit: str, *, is_change: bool = False) -> str:
    """The unit in which numbers, or changes of them, are shown; empty for plain numbers."""
    if unit in SHARES:
        return "points" if is_change else "%"
    return suffix(unit).strip()


def suffix(unit: str) -> str:
    return "" if unit in ("", "1") else f" {unit}"


def _ends(low: float, high: float, unit: str) -> tuple[str, str]:
    """Both ends of an interval, with the decimals of the larger one.

    An end that would have no digit but zeros keeps its own decimals, unless it is tiny.
    """
    smaller, larger = sorted((abs(low), abs(high)))
    if unit not in SHARES and SMALLEST <= larger < LARGEST:
        decimals = _decimals(larger)
        if 0 < smaller < SMALLEST or round(smaller, decimals):
            return tuple(signed(f"{end:,.{decimals}f}") for end in (low, high))
    return bare(low, unit), bare(high, unit)


def _plus(shown: str) -> str:
    """A number as it is shown with a plus, unless it is negative or rounds to zero."""
    is_positive = not shown.startswith(MINUS) and any(digit in shown for digit in "123456789")
    return f"+{shown}" if is_positive else shown


def _change_suffix(unit: str) -> str:
    return " points" if unit in SHARES else suffix(unit)


def _plain(x: float) -> str:
    """Three significant digits; thousands are kept whole and separated."""
    return f"{x:,.{_decimals(x)}f}"


def _decimals(x: float) -> int:
    """The decimals that make three significant digits."""
    return max(0, 2 - _size(float(f"{x:.2e}"))) if x else 0  # 9.999 becomes 10.0


def _size(x: float) -> int:
    """The power of ten of the leading digit of x."""
    return math.floor(math.log10(abs(x))) if x else 0
