"""What is learned. Read: skills (exact answers), replay, texts, batches, suites, task."""
