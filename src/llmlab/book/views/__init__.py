"""Views of one run: interactive on screen, a still image in print.

- `kinds/`: one module for each kind of view: its fields, and its still image.
- `reading`: finds and validates the views that runs save.
- `widgets`: the interactive form; its scripts are in `assets/`.
- `drawing`: what the still images of several kinds share.
- `landscapes`: still images of loss planes and paths, which no widget shows.
"""

from llmlab.book.views.reading import find_view, read_view

__all__ = ["find_view", "read_view"]
