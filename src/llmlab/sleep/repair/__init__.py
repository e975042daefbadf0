"""Red, patch, green: edits, clients, the loop, and its episodes."""
