"""The pretraining lab: train a GPT from scratch, resume it, sample from it, and look inside it.

To read it in an evening, follow the data:

1. `corpora`, `text_tokenizers`, `token_dataset`, `encoded_corpus`: a corpus becomes tokens on disk,
   and batches of them.
2. `model`, `configs`: the GPT itself, and its four sizes.
3. `training`: one optimizer step after another, as a stream of points.
4. `pretraining`, `alarms`: a run as a stream of events.
   `measures`, `study`: the trials of an experiment, and what is kept of them.
   `stacked`, `stacked_adamw`: the models of all trials, trained at once on a GPU.
5. `checkpoints`, `saved_runs`, `run_events`, `session`: a run in its folder.
   `resuming`, `writing`: checks of what it resumes from, atomic writes of weights.
   `options`, `opening`, `console`: how `llmlab train` drives it.
6. `distributed`, `steering`, `speed`: several processes, and requests to all of them; how fast
   training is, and how fast it could be.
7. `generation`: text from a model.
   `inspection`, `inspection_views`, `run_views`: its inside, computed and as views for a page.
8. `hugging_face`, `exchange`: GPT-2's weights in, ours out.

`character_tokenizer` is the strict alphabet of the fine-tuning skills.
"""
