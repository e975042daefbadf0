"""From a corpus to batches of tokens.

corpora              texts by name, file or folder
text_tokenizers      characters, bytes in pairs, or a tokenizer from a file
token_dataset        tokens on disk, and batches from them
encoded_corpus       a corpus with its tokenizer, in two parts: to train on, and to validate
character_tokenizer  the strict alphabet of the fine-tuning skills
"""
