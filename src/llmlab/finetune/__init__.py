"""The fine-tuning lab. Its rooms, each of which imports only those above it:

tasks      what is learned: skills with exact answers, as items, batches and tasks
model      what learns: base models, the methods (full, LoRA, QLoRA), adapters on disk
observe    looks inside: layers, quantisation, memory, gradient noise, curvature, landscape, Adam
curves     loss curves: what a run's curves say, and the reports of `llmlab curves`
study      runs of the experiments: tuning, forgetting, whole sweeps at once
command    `llmlab finetune` and `generate`: options, data, a run in its folder, what is printed

`study` and `command` do not know each other.
"""
