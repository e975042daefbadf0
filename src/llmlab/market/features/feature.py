"""Definition of a feature: a formula over bars up to a day, with window, unit and source."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from llmlab.market.bars.bars import Bars

Array = NDArray[np.float64]
Need = Literal["close", "range", "volume"]

TRADING_DAYS = 252
"""Trading days per year, to annualise a volatility."""

MOSTLY = 0.99
"""Smallest share of days with trades for which volume is meaningful."""


@dataclass(frozen=True)
class Prices:
    """The columns of bars as arrays of shape [rows]; absent ones are None.

    Attributes:
        day: days since 1970-01-01.
    """

    close: Array
    day: NDArray[np.int64]
    open: Array | None = None
    high: Array | None = None
    low: Array | None = None
    volume: Array | None = None
    _known: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, bars: Bars) -> "Prices":
        values_CR = np.ascontiguousarray(bars.frame.to_numpy(float).T)
        columns = dict(zip(bars.frame.columns, values_CR, strict=True))
        days = bars.frame.index.to_numpy().astype("datetime64[D]").view(np.int64)
        return cls(day=days, **columns)

    @cached_property
    def log_close(self) -> Array:
        return np.log(self.close)

    @cached_property
    def log_return(self) -> Array:
        """Log return of each close over the previous one; the first is NaN."""
        return np.diff(self.log_close, prepend=np.nan)

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """The result of `compute`, cached under this name."""
        if name not in self._known:
            self._known[name] = compute()
        return self._known[name]

    def remember(self, name: str, result: Any) -> None:
        """Let `once` return this result for a name."""
        self._known[name] = result

    @property
    def _is_traded(self) -> bool:
        return np.count_nonzero(self.volume > 0) >= MOSTLY * len(self.volume)

    @cached_property
    def has(self) -> frozenset[Need]:
        """The usable columns; volume must be known on every day and nonzero on nearly all."""
        found: set[Need] = {"close"}
        if self.high is not None:
            found.add("range")
            if self.volume is not None and np.isfinite(self.volume).all() and self._is_traded:
                found.add("volume")
        return frozenset(found)


@dataclass(frozen=True)
class Feature:
    """One column.

    Attributes:
        formula: in the notation of the data dictionary; C, O, H, L, V are a day's prices and
            volume, and a subscript counts days back.
        window: number of bars used, including the current one; exponential averages have no end,
            so the window in their name counts.
        unit: "1" for a ratio, "nats" for a logarithm, "points" for an index from 0 to 100.
        source: origin of the definition.
        need: required columns of the bars.
        compute: returns an array of shape [rows], NaN while there are too few bars.
    """

    name: str
    formula: str
    window: int
    unit: str
    source: str
    need: Need
    compute: Callable[[Prices], Array]
