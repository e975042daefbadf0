"""Continual learning on code repair. Its rooms, each of which imports only those above it:

sandbox    isolation for code that nobody has read
koans      small broken programs, and judges that compile and run them
repair     a day: a model edits broken programs, and each attempt becomes an episode
coder      a small GPT that repairs
night      a night: a coder learns from the episodes of its day
study      days, nights and exams of the experiments
command    `llmlab sleep`; `export` writes models for llama.cpp and Ollama

Words: a *koan* is a small broken program, *red* before and *green* after its repair. An *episode*
is one koan tried by one model. A *lesson* is a training example made from an episode.
"""
