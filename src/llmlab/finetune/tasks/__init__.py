"""What is learned. Read: skills (items with exact answers), replay, batches, suites, task."""
