"""GPT-2's weights in, ours out.

hugging_face  our model as a GPT-2 of `transformers`, and back
exchange      `llmlab export` and `import`: runs and Hugging Face folders
"""
