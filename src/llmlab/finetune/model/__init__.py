"""What learns. Read it in this order:

the book's own     base_model
by which method    methods, replacing, lora, nf4 (NF4 by hand), qlora (by bitsandbytes)
any base model     codecs (text to tokens), chat_templates, spelling, pretrained, hub
                   (transformers), gguf, untrained (for smoke runs), catalog (by name)
what was learned   peft_format, adapters (saved and loaded), merging, stored_weights
"""
