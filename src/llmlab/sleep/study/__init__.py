"""What experiments on nights have in common."""
