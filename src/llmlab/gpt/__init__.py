"""The pretraining lab: train a GPT from scratch, resume it, sample from it, and look inside it.

To read it in an evening, begin with the modules of this folder:

1. `model`, `configs`: the GPT itself, and its four sizes.
2. `training`: one optimizer step after another, as a stream of points.
3. `pretraining`, `alarms`: a run as a stream of events.
4. `distributed`, `steering`: several processes, and requests to all of them.
   `speed`: how fast training is, and how fast it could be.
5. `generation`: text from a model.

Its rooms, in the order in which a run passes them:

text       a corpus becomes tokens on disk, and batches of them
saved      checkpoints, and the folder of a run that is opened again
study      the trials of experiments, and the models of all trials trained at once on a GPU
inside     the inside of a model, computed and as views for a page
formats    GPT-2's weights in, ours out
command    `llmlab train`: options, a run in its folder, what is printed
"""
