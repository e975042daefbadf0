"""Daily bars: sources, checks, and manifests."""
