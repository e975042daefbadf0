"""Environment variables that more than one room reads."""

DATA_DIR = "LLMLAB_DATA_DIR"
"""A folder whose files take precedence over those to download and over packaged tables."""
CACHE_DIR = "LLMLAB_CACHE_DIR"
"""The folder for downloads and tokens, instead of the user's cache."""
