"""Versions of the book, and the changes between them. Read in this order:

- `tags`: a version is a git tag such as `v1.0`; finds the previous one.
- `snapshot`: the verdicts and tables of a version, judged by that version's own code.
- `comparison`: what is new, judged again, run again.
- `saying`: the comparison as a page of the book, as marks on its pages, as a comment.

Nothing else is stored: the tags of the repository suffice. `llmlab.book.publish` renders and
archives a version.
"""
