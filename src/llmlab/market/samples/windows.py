"""Samples: windows of features that end on a day, each with that day's label.

Shapes in names: M samples, L days of look-back, F features, R rows of a table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from llmlab.market.bars.bars import Bars
from llmlab.market.features.feature import Feature
from llmlab.market.features.table import compute
from llmlab.market.samples.chunks import CHUNKS, split
from llmlab.market.samples.targets import Target, labels

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Label = Callable[[Bars, Target], Array]

CLIP = 5.0
"""Standard deviations at which a feature is clipped."""


@dataclass(frozen=True)
class Samples:
    """Windows and labels.

    Attributes:
        x_MLF: scaled features, last day last; missing values are 0, the training mean.
        y_M: 0 or 1.
        day_M: position of the last day in the data set.
    """

    x_MLF: Single
    y_M: Single
    day_M: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y_M)


@dataclass(frozen=True)
class Parts:
    """The samples of one split; a search gets no test samples."""

    train: Samples
    validation: Samples
    test: Samples | None

    def without_test(self) -> "Parts":
        return Parts(self.train, self.validation, None)


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of each feature over the training rows."""

    mean_F: Array
    spread_F: Array

    @classmethod
    def fit(cls, rows_RF: Array) -> "Scaler":
        """Fit to finite values; a constant feature becomes 0."""
        finite_RF = np.where(np.isfinite(rows_RF), rows_RF, np.nan)
        mean_F = np.nan_to_num(np.nanmean(finite_RF, axis=0))
        spread_F = np.nan_to_num(np.nanstd(finite_RF, axis=0))
        return cls(mean_F, np.where(spread_F > 0, spread_F, np.inf))

    def apply(self, rows_RF: Array) -> Single:
        """Standard scores, clipped at `CLIP`; 0 for missing values."""
        scores_RF = (rows_RF - self.mean_F) / self.spread_F
        return np.clip(np.nan_to_num(scores_RF), -CLIP, CLIP).astype(np.float32)


@dataclass(frozen=True)
class Recipe:
    """The recipe for samples.

    Attributes:
        look_back: window in days.
        warm_up: bars before the first window, at least the features' longest window; feature sets
            with the same warm-up give samples of the same days.
        n_chunks: number of chunks of days.
    """

    features: tuple[Feature, ...]
    target: Target
    look_back: int = 16
    warm_up: int = 50
    n_chunks: int = CHUNKS

    @property
    def reach(self) -> int:
        """Days that a sample looks back and ahead, in total."""
        return self.warm_up + self.look_back + self.target.reach


def make_parts(
    assets: Sequence[Bars], recipe: Recipe, test_chunk: int, label: Label = labels
) -> Parts:
    """Make training and validation samples from all assets, and test samples from the first only.

    The days of the first asset determine the split of all assets; days outside its span are left
    out.

    Raises:
        LabError: as in `chunks.split`, or an asset lacks a column that a feature needs.
    """
    days = assets[0].frame.index.to_numpy("datetime64[D]")
    where = split(len(days), test_chunk, recipe.reach, recipe.n_chunks)
    tables = [_Table.of(bars, recipe, days, label) for bars in assets]
    train_RF = np.concatenate([table.rows(where.train) for table in tables])
    scaler = Scaler.fit(train_RF)
    return Parts(
        _joined([table.samples(where.train, scaler) for table in tables]),
        _joined([table.samples(where.validation, scaler) for table in tables]),
        tables[0].samples(where.test, scaler),
    )


@dataclass(frozen=True)
class _Table:
    """The features, labels and days of one asset; a label is NaN if no sample ends there."""

    values_RF: Array
    label_R: Array
    day_R: NDArray[np.int64]
    look_back: int

    @classmethod
    def of(cls, bars: Bars, recipe: Recipe, days: NDArray, label: Label) -> "_Table":
        label_R = label(bars, recipe.target).copy()
        label_R[: recipe.warm_up + recipe.look_back - 1] = np.nan
        own = bars.frame.index.to_numpy("datetime64[D]")
        label_R[(own < days[0]) | (own > days[-1])] = np.nan
        day_R = np.searchsorted(days, own)
        values_RF = compute(recipe.features, bars).to_numpy()
        return cls(values_RF, label_R, day_R, recipe.look_back)

    def ends(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows on the wanted days at which a sample ends."""
        return np.flatnonzero(np.isin(self.day_R, wanted) & np.isfinite(self.label_R))

    def rows(self, wanted: NDArray[np.int64]) -> Array:
        return self.values_RF[self.ends(wanted)]

    def samples(self, wanted: NDArray[np.int64], scaler: Scaler) -> Samples:
        ends = self.ends(wanted)
        windows = sliding_window_view(scaler.apply(self.values_RF), self.look_back, axis=0)
        x_MLF = windows[ends - self.look_back + 1].transpose(0, 2, 1)
        return Samples(
            np.ascontiguousarray(x_MLF), self.label_R[ends].astype(np.float32), self.day_R[ends]
        )


def _joined(parts: Sequence[Samples]) -> Samples:
    return Samples(
        np.concatenate([part.x_MLF for part in parts]),
        np.concatenate([part.y_M for part in parts]),
        np.concatenate([part.day_M for part in parts]),
    )
