"""Features of daily bars: declared, computed with TA-Lib, and checked not to see the future.

1. `feature`: what a definition is. `series`: arithmetic of days.
   `candles`, `volatility`, `calendar`, `indicators`: all definitions; `tiers`: which are in a tier.
   `volatility_index` adds eight; `dictionary` lists them all.
2. `table`: computes features. `resampling`, `combination`: of longer bars, of several assets.
3. `leaks`: the alarm for features that see the future.
4. `survey`, `report`: `llmlab market features`.
"""
