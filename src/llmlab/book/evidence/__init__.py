"""From tables of runs and verdicts to what a page shows: readings, figures, boxes, overviews."""
