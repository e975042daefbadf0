"""Daily bars: sources, checks, and manifests. Reading order:

1. `bars`: the bars of one asset, and their checks.
2. `sources`, `csv_file`, `download`: from packages, files and addresses. `stock_splits` adjusts.
3. `manifest`: source and properties of bars.
4. `survey`, `report`: `llmlab market data`.
5. `synthetic`: a market with a known best attainable loss.
"""
