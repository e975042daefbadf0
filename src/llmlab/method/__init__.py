"""The scientific method: experiments, runs, tables, ledger, statistics, verdicts. No torch."""
