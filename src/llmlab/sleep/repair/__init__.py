"""Red, patch, green: edits, clients, the loop, and what it leaves behind."""
