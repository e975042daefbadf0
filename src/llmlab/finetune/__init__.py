"""The fine-tuning lab. Read it in this order:

what is learned     skills (items with exact answers), suites, tasks, batches, data (JSONL)
from what           base (the book's own), bases (that, a run, a model of transformers)
by which method     methods, lora, quantisation (NF4 by hand), qlora (by bitsandbytes)
one run             tuning, measures; for the command: options, session, console, writing
many runs at once   stacked
what comes out      adapters (the format of peft, merging), forgetting
looks inside        instruments, memory, noise_scale, curvature, landscape, optimizer_state
loss curves         curves (reading them), curve_runs (making each shape on purpose)
"""
