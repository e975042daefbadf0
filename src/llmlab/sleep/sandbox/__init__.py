"""Where code that nobody has read is compiled and run."""
