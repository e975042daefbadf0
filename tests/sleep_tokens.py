"""The vocabulary of Python programs, drawn once for all tests: that takes most of a second."""

from llmlab.sleep.coder.tokens import code_tokens

TOKENS = code_tokens("python")
