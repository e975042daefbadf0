"""Judge hypotheses: the ledger, statistics, verdicts, the progress of tracks."""
