"""What a feature is: a formula over the bars up to a day, with its window, unit and source."""

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
"""Of a year, to annualise a volatility."""

MOSTLY = 0.99
"""Share of days on which something must be traded for a volume to mean anything."""


@dataclass(frozen=True)
class Prices:
    """The columns of bars as arrays of shape [rows]; absent ones are None.

    Attributes:
        day: as whole days since 1970.
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
        days = bars.frame.index.to_numpy("datetime64[D]").astype(np.int64)
        return cls(day=days, **columns)

    @cached_property
    def log_close(self) -> Array:
        return np.log(self.close)

    @cached_property
    def log_return(self) -> Array:
        """Of each close over the one before; the first is NaN."""
        return np.diff(self.log_close, prepend=np.nan)

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """What `compute` gives, computed at the first call with this name."""
        if name not in self._known:
            self._known[name] = compute()
        return self._known[name]

    @property
    def _is_traded(self) -> bool:
        return float(np.mean(self.volume > 0)) >= MOSTLY

    @cached_property
    def has(self) -> frozenset[Need]:
        """What features can be computed from; a volume must be known on every day, and be some."""
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
            volume, a subscript counts days back.
        window: bars that it looks back over, its own included; averages that fade
            exponentially have no end, so theirs is that of the name.
        unit: "1" for a ratio, "nats" for a logarithm, "points" for an index from 0 to 100.
        source: whose definition it is.
        need: which columns of the bars it takes.
        compute: gives an array of shape [rows], NaN while there are too few bars.
    """

    name: str
    formula: str
    window: int
    unit: str
    source: str
    need: Need
    compute: Callable[[Prices], Array]
