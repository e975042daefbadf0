"""Repair a koan: ask a model for an edit, apply it, judge, and ask again. Reading order:

1. `edits`: whole lines that replace others.
2. `task`, `prompts`, `examples`: what a model is asked, in words, with repairs shown before.
3. `hub`, `server`: models of `transformers`, and servers that speak OpenAI's API.
4. `loop`, `episodes`: the loop, and its attempts on disk.
5. `measures`: pass rates with intervals, gains and regressions.
"""
