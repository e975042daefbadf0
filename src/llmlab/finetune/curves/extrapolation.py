"""Where a loss is heading: a power law with a floor, fitted to the curve so far."""

from dataclasses import dataclass

import numpy as np
import scipy  # loads its parts, which take a second, only where they are used

from llmlab.finetune.curves.curve import Curve

LARGEST = 1e100
"""A loss whose square is far from overflow; one beyond it has no law."""
FEWEST = 8
"""Fewest points for a fit of three parameters."""
LEAST, MOST = 0.02, 6.0
"""An exponent beyond these means a straight line or a cliff, not a power law."""
EXACT = 1e-6
"""Share of the variance of the points below which a law leaves nothing to explain."""
RANDOM = 1.0
"""Durbin-Watson statistic of residuals: 2 if neighbours are independent, 0 if they agree."""
EXPONENTS = np.geomspace(0.05, 3.0, 25)
"""Starting points of the search for c."""


@dataclass(frozen=True)
class Forecast:
    """A loss that was not measured yet.

    Attributes:
        low, high: ends of the interval of the given level for the curve itself, without the noise
            of a single batch; by the delta method.
    """

    step: int
    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class PowerLaw:
    """L(t) = a + b t^-c.

    Attributes:
        a: the floor that the loss never falls below.
        b, c: size and exponent of what is above it.
        covariance: 3 x 3, of the estimates of a, b and c.
        spread: standard deviation of a point around the line.
        n: points that it was fitted to.
    """

    a: float
    b: float
    c: float
    covariance: np.ndarray
    spread: float
    n: int

    def at(self, step: int, level: float = 0.95) -> Forecast:
        """The loss at `step`, by the delta method.

        The variance of a + b t^-c to first order is g' C g, with C the covariance of (a, b, c) and
        g = (1, t^-c, -b t^-c ln t) the gradient; the interval is that of t with n - 3 degrees of
        freedom. It takes the points' noise as independent and the law as true: beyond what was
        seen, the second matters more.
        """
        gradient = _slopes(np.array([float(step)]), self.a, self.b, self.c)[0]
        error = float(np.sqrt(max(0.0, gradient @ self.covariance @ gradient)))
        half = float(scipy.stats.t.ppf((1 + level) / 2, self.n - 3)) * error
        value = self.a + self.b * step**-self.c
        return Forecast(step, value, value - half, value + half, level)


def fit_power_law(curve: Curve) -> PowerLaw | None:
    """The law fitted by least squares to the finite points with a step of 1 or more.

    Its floor is not below zero, since no cross-entropy is. None where the curve does not have
    that shape: too few points, no fall, a fit that does not settle, as on a straight line, or
    points that stand above the law for long and then below it, as on an exponential.
    """
    points = curve.finite()
    points = points and points.between(1, points.steps[-1])
    if points is None or len(points) < FEWEST or np.abs(points.y).max() > LARGEST:
        return None
    start = min((_best_at(points, c) for c in EXPONENTS), key=lambda found: found[0])[1]
    start = (max(0.0, start[0]), *start[1:])
    found = scipy.optimize.least_squares(
        lambda law: _law(points.x, *law) - points.y,
        start,
        lambda law: _slopes(points.x, *law),
        bounds=([0, -np.inf, -np.inf], np.inf),
        x_scale="jac",
    )
    a, b, c = map(float, found.x)
    curvature = found.jac.T @ found.jac
    if not found.success or b <= 0 or not LEAST < c < MOST or np.linalg.cond(curvature) > 1e14:
        return None
    variance = 2 * float(found.cost) / (len(points) - 3)
    if variance > EXACT * np.var(points.y) and _durbin_watson(found.fun) < RANDOM:
        return None
    covariance = variance * np.linalg.inv(curvature)
    return PowerLaw(a, b, c, covariance, float(np.sqrt(variance)), len(points))


def _durbin_watson(residuals: np.ndarray) -> float:
    """As `RANDOM`; Durbin and Watson 1950, Biometrika 37, 409-428. statsmodels takes a second."""
    return float(np.sum(np.diff(residuals) ** 2) / np.sum(residuals**2))


def _law(t: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    with np.errstate(over="ignore"):
        return a + b * t**-c


def _slopes(t: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    """Derivatives of the law by a, b and c, [n, 3]."""
    with np.errstate(over="ignore"):
        power = t**-c
        return np.stack([np.ones(len(t)), power, -b * power * np.log(t)], axis=1)


def _best_at(points: Curve, c: float) -> tuple[float, tuple[float, float, float]]:
    """Squared error and parameters of the best law with this exponent, which is linear."""
    columns = np.stack([np.ones(len(points)), points.x**-c], axis=1)
    (a, b), *_ = np.linalg.lstsq(columns, points.y, rcond=None)
    error = points.y - columns @ (a, b)
    return float(error @ error), (float(a), float(b), float(c))
