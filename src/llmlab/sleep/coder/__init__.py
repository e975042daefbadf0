"""A small GPT that repairs programs. Reading order:

1. `tokens`, `names`, `spans`: code as tokens, a program's own names numbered; an edit as a span of
   a line and what takes its place.
2. `rotary`: the GPT of `gpt/` with rotary positions.
3. `lessons`: repairs as sequences to train on.
4. `guide`: what may come next in an answer, so that it edits its program.
5. `coder`: a model with its vocabulary, in a folder, and as a client of the repair loop.
6. `school`: which families of bugs it is taught, and how it is examined.
"""
