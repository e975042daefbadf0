"""The pretraining lab: model, tokenizer, training loop."""
