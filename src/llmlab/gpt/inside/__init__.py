"""The inside of a model.

inspection        attention, activations, predictions layer by layer
inspection_views  the same as views for a page
run_views         the views of a trained run
"""
