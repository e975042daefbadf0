"""Models of the samples: transformers by parameter budget, baselines, scores, a search.

1. `architecture`, `transformer`, `training`: a transformer within a parameter budget.
2. `baselines`, `scores`: simple models, and how probabilities are judged.
3. `question`, `study`: a question about bars, and the runs that answer it.
4. `search`, `search_log`: architecture and training searched together.
5. `measures`, `report`: the columns of experiments; the output of `llmlab market`.
"""
