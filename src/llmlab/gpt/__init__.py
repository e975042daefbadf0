"""The pretraining lab: a GPT from scratch, trained, resumed, generated from, and looked into.

To read it in an evening, follow the data:

1. `corpora`, `text_tokenizers`, `token_dataset`, `encoded_corpus`: a corpus becomes tokens on disk,
   and batches of them.
2. `model`, `configs`: the GPT itself, and its four sizes.
3. `training`: one optimizer step after another, as a stream of points.
4. `pretraining`, `alarms`: a run as a stream of events.
   `measures`, `study`: what the trials of an experiment are, and what is kept of them.
   `stacked`, `stacked_adamw`: the models of all trials trained at once, on a GPU.
5. `checkpoints`, `saved_runs`, `run_events`, `session`: a run in its folder.
   `options`, `opening`, `console`: how `llmlab train` leads it.
6. `distributed`, `speed`: several processes; how fast, and how fast it could be.
7. `generation`, `inspection`, `run_views`: text from a model, and looks inside.
8. `hugging_face`, `exchange`: GPT-2's weights in, ours out.

`character_tokenizer` is the strict alphabet of the fine-tuning skills.
"""
