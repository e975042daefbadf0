"""`llmlab finetune` and what writes text. Read it in this order:

what is asked for    options
what is learned from strict_json, examples, encoding
a run                config, opening, events, session, descriptions, tables, console
afterwards           generation
"""
