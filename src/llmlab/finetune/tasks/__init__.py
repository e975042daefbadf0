"""What is learned. Read: skills (items with exact answers), replay, texts, batches, suites, task."""
