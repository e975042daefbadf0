"""Report a fit: as JSON for programs, as a table with warnings for readers."""

from collections.abc import Iterator

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from llmlab.market.fits.fitting import Fit, Interval
from llmlab.market.fits.law import SYMBOLS

FEW_RUNS = 10
FEW_REACHED = 0.1
"""Share of starts below which an optimum may be one of several."""
LOOSE_FLOOR = 0.5
"""Width of E's interval, as a share of the lowest loss, above which the floor is unknown."""


def warnings(fit: Fit) -> Iterator[str]:
    """Warnings that a reader must know before trusting a fit, one sentence each."""
    best = fit.rivals[0].name
    if best == "flat":
        yield "A constant describes these runs as well: nothing here falls with size."
    for name, (_, exponent) in SYMBOLS.items():
        found = fit.parameters.get(exponent)
        if found and found.low <= 0:
            yield (
                f"{exponent} may be 0: its interval is {_ends(found)}, so these runs do not show "
                f"that the loss falls with {name}."
            )
        if found and name not in best and best != "flat":
            yield f"A law without {name} describes these runs as well."
    floor, lowest = fit.parameters["E"], float(fit.runs.loss_M.min())
    if floor.high - floor.low > LOOSE_FLOOR * lowest:
        yield f"The floor E is uncertain ({_ends(floor)}): the runs are too far above it."
    if len(fit.runs) < FEW_RUNS:
        yield f"There are only {len(fit.runs)} runs: a bootstrap over so few is rough."
    if fit.optimum.reached < FEW_REACHED:
        yield (
            f"Only {fit.optimum.reached:.0%} of the starts reached the optimum: there may be a "
            "better one."
        )
    if copies := len(fit.runs) - len(set(_rows(fit))):
        yield (
            f"{copies} of {len(fit.runs)} rows repeat another one exactly: if they are the same "
            "run, remove them, since they make the intervals too narrow."
        )
    repeated = _repeated(fit)
    if repeated:
        yield (
            f"{repeated} runs share their sizes with a run of another loss: if the file mixes "
            "evaluation sets, choose one with --where COLUMN=VALUE."
        )


def as_json(fit: Fit) -> dict[str, object]:
    """The fit as plain values; a term that was not fitted is None."""
    names = ["E", *(symbol for term in SYMBOLS.values() for symbol in term)]
    return {
        **{name: fit.parameters.get(name) for name in names},
        "level": fit.level,
        "runs": len(fit.runs),
        "starts": fit.starts,
        "starts_at_optimum": fit.optimum.reached,
        "resamples": fit.resamples,
        "huber_sum": fit.optimum.value,
        "compared": fit.rivals,
        "residuals": fit.residuals_M.tolist(),
        "warnings": list(warnings(fit)),
    }


def print_fit(fit: Fit) -> None:
    """Print the law, its parameters, the search, the rivals and the warnings."""
    console = Console(width=None, highlight=False)
    terms = [f"{c} / {name}^{e}" for name, (c, e) in SYMBOLS.items() if c in fit.parameters]
    console.print(f"loss = {' + '.join(['E', *terms])}, fitted to {len(fit.runs)} runs")
    console.print(_parameters(fit))
    console.print(
        f"{fit.optimum.reached:.0%} of {fit.starts} starts reached the optimum; intervals are "
        f"bias-corrected percentiles over {fit.resamples} resamples of the runs."
    )
    spread = np.abs(fit.residuals_M)
    console.print(
        f"The law misses the loss by {np.expm1(spread.mean()):.2%} on average and by "
        f"{np.expm1(spread.max()):.2%} at most (run {int(spread.argmax()) + 1})."
    )
    console.print(_rivals(fit))
    for warning in warnings(fit):
        console.print(f"! {warning}")


def _parameters(fit: Fit) -> Table:
    table = Table("", "value", f"{fit.level:.0%} interval", box=box.SIMPLE)
    for name, found in fit.parameters.items():
        table.add_row(name, f"{found.value:.4g}", _ends(found))
    return table


def _rivals(fit: Fit) -> Table:
    table = Table("loss falls with", "mean miss", "BIC above the best", box=box.SIMPLE)
    for rival in fit.rivals:
        name = "nothing (flat)" if rival.name == "flat" else rival.name
        above = rival.bic - fit.rivals[0].bic
        table.add_row(name, f"{np.expm1(rival.error):.2%}", f"{above:.1f}")
    return table


def _ends(found: Interval) -> str:
    return f"{found.low:.3g} to {found.high:.3g}"


def _rows(fit: Fit) -> Iterator[tuple[float, ...]]:
    """Sizes and loss of each run."""
    return zip(*fit.runs.sizes.values(), fit.runs.loss_M, strict=True)


def _repeated(fit: Fit) -> int:
    """Number of runs that share their sizes with runs whose loss differs by more than a tenth."""
    places: dict[tuple[float, ...], list[float]] = {}
    for *sizes, loss in _rows(fit):
        places.setdefault(tuple(sizes), []).append(loss)
    return sum(len(found) for found in places.values() if max(found) > 1.1 * min(found))
