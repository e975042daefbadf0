"""Turn tables of runs and verdicts into page content: readings, figures, boxes, overviews."""
