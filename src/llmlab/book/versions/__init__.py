"""Versions of the book, and what changed from one to the next. Read in this order:

- `tags`: a version is a git tag, `v1.0`; which one came before.
- `snapshot`: what a version claims and which tables it has, judged by that version's own code.
- `comparison`: what is new, judged anew, run again.
- `saying`: the comparison as a page of the book, as marks on its pages, as a comment.

Nothing is stored for it: the tags of the repository are enough. `llmlab.book.publish` renders and
archives a version.
"""
