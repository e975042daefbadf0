"""Daily bars: where they come from, what is checked, what a manifest keeps of them."""
