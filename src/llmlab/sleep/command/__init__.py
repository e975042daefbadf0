"""`llmlab sleep`: `app` wires one module for each group of commands.

`koans`, `sandbox`, `day` (run, evaluate, compare), `night` (train, methods) and `export`.
They share `options` and `checksums`.
"""
