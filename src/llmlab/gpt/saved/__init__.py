"""What is left of a run, and how it is opened again.

checkpoints  one file per checkpoint: weights, optimizer, state of the random generators
saved_runs   the folder of a run: its tokenizer, its log, its checkpoints
writing      weights are written whole, or not at all
"""
