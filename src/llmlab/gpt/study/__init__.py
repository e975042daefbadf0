"""The trials of pretraining experiments.

measures       what every experiment measures: the columns, and how a run fills them
trials         one trial: a run, and what is observed along the way
stacked        the models of all trials, trained at once on a GPU
stacked_adamw  AdamW for such a stack, with a rate for each model
"""
