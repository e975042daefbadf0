"""`llmlab train`: from its options to a run in its folder.

options     what may be set
opening     from options to a run that is ready to start
session     a run in its folder: it logs every event, saves, and resumes where it stopped
run_events  what happens to a run beside the events of training itself
resuming    checks that a checkpoint fits the run that continues from it
console     what is printed
"""
