"""Continual learning on code repair: koans, a sandbox, a repair loop, and nights of training."""
