"""What is learned by night from the repairs of the day."""
