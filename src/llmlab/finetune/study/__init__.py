"""The runs that experiments are made of. Read it in this order:

one run              tuning, measures (the columns of every table)
many runs at once    stacked (adapters), stacked_models (all weights), sweeps (which together)
runs on their way    loss_curves, tracking
what was lost        forgetting
the base model       base_model
any other model      pretrained
"""
