"""A small GPT that repairs programs: its tokens, its lessons, its school."""
