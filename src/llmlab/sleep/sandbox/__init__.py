"""Isolation for code that nobody has read, in levels. Reading order:

1. `sandbox`: the interface of every level, and the lowest, which isolates nothing.
2. `process`, `scratch`: a command with limits, in a folder that lives as long as one judgement.
3. `bubblewrap`, `landlock` (whose child process is `guard`), `container`: the levels.
4. `levels`: which of them this machine has, tested.
"""
