# %% [markdown]
# # Features of the market lab {#sec-market-dictionary}
#
# This page lists every feature that `llmlab market features` computes, generated from the code that computes it. $C$,
# $O$, $H$, $L$ and $V$ are the close, open, high, low and volume of a bar; a subscript counts bars back, or gives the
# window of an average. The *window* is the number of bars a value needs, including its own. Tier b contains tier a, and
# tier c contains tier b. Lagged copies of tier-a features are summarised in one line.

# %%
import re

from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.market.features.dictionary import entries
from llmlab.market.features.tiers import LAGS

TITLES = {
    "a": "Tier a",
    "b": "Tier b adds",
    "c": "Tier c adds",
    "index": "From a volatility index",
}


def line(feature):
    formula = re.sub(r"_(\d+)", r"~\1~", feature.formula)  # a subscript
    formula = re.sub(r"\^(\d+)", r"^\1^", formula)  # a power
    formula = re.sub(r"(?<!\w)-(?=[ \d])", "−", formula).replace(" x ", " × ").replace("_", "\\_")
    unit = "–" if feature.unit == "1" else feature.unit
    return [f"`{feature.name}`", formula, str(feature.window), unit, feature.source]


found = list(entries())
parts = []
for tier, title in TITLES.items():
    kept = [e.feature for e in found if e.tier == tier and "_lag_" not in e.feature.name]
    header = ["feature", "formula", "window", "unit", "source"]
    parts += [f"**{title}**", pipe_table(header, [line(one) for one in kept], numeric=[2])]
days = ", ".join(map(str, LAGS))
parts.append(f"Tier c also has each feature of tier a {days} bars ago, named as in `rsi_14_lag_5`.")
Markdown("\n\n".join(parts))
