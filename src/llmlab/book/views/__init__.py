"""Views of one run: interactive on screen, a still image in print."""

from llmlab.book.views.reading import find_view, read_view

__all__ = ["find_view", "read_view"]
