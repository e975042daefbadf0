"""Looks inside one run: something to explore on a screen, a still picture of it in print."""

from llmlab.book.views.reading import find_view, read_view

__all__ = ["find_view", "read_view"]
