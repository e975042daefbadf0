"""Executes, renders and checks the book; what chapters call to show evidence."""
