"""LLM Lab Book: experiments on training language models, kept as a book."""
