"""Tiny tokenizers that cut text as those of well-known models do."""

from collections.abc import Callable
from functools import cache

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

TEXT = (
    "12 34 46 + = 1 2 3 0 5 6 7 8 9 hello world yo fine more the answer is user assistant system "
    "think be \n"
)
WORD_MARK = "\u2581"
"""What SentencePiece writes for a space, and before a text."""


def llama2() -> PreTrainedTokenizerFast:
    """Llama 2 and TinyLlama: a mark before every piece between special tokens."""
    core = _sentencepiece(["<unk>", "<s>", "</s>"])
    core.normalizer = normalizers.Sequence(
        [normalizers.Prepend(WORD_MARK), normalizers.Replace(" ", WORD_MARK)]
    )
    core.decoder = decoders.Sequence([*_spaces(), decoders.Strip(" ", 1, 0)])
    chat = (
        "{% for m in messages %}{% if m['role'] == 'user' %}"
        "{{ bos_token + '[INST] ' + m['content'] + ' [/INST]' }}"
        "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
    )
    return _finished(core, chat, bos="<s>", eos="</s>", begins="<s>")


def mistral() -> PreTrainedTokenizerFast:
    """Mistral: a mark before the text alone, and instructions between special tokens."""
    core = _sentencepiece(["<unk>", "<s>", "</s>", "[INST]", "[/INST]"])
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    core.decoder = decoders.Sequence([*_spaces(), decoders.Strip(" ", 1, 0)])
    chat = (
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}"
        "{{ '[INST] ' + m['content'] + ' [/INST]' }}"
        "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
    )
    return _finished(core, chat, bos="<s>", eos="</s>", begins="<s>")


def phi3() -> PreTrainedTokenizerFast:
    """Phi-3: as Llama 2, with special tokens that take the spaces after them."""
    core = _sentencepiece(["<unk>", "<s>", "</s>"])
    core.normalizer = normalizers.Sequence(
        [normalizers.Prepend(WORD_MARK), normalizers.Replace(" ", WORD_MARK)]
    )
    core.decoder = decoders.Sequence([*_spaces(), decoders.Strip(" ", 1, 0)])
    names = ("<|user|>", "<|assistant|>", "<|system|>", "<|end|>")
    core.add_special_tokens([AddedToken(name, rstrip=True, special=True) for name in names])
    chat = (
        "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
    )
    return _finished(core, chat, bos="<s>", eos="</s>", begins="<s>")


def alpaca() -> PreTrainedTokenizerFast:
    """GPT-2 with a template in which no special token ends an answer."""
    core = _byte_level(["<|endoftext|>"])
    chat = (
        "{% for m in messages %}{{ m.role + ':\n' + m.content + '\n\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant:\n' }}{% endif %}"
    )
    return _finished(core, chat, bos="<|endoftext|>", eos="<|endoftext|>")


def gemma() -> PreTrainedTokenizerFast:
    """Gemma: no mark before the text, and a turn that ends with another token than a text."""
    core = _sentencepiece(["<unk>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"])
    core.normalizer = normalizers.Replace(" ", WORD_MARK)
    core.decoder = decoders.Sequence(_spaces())
    chat = (
        "{{ bos_token }}{% for m in messages %}"
        "{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' }}"
        "{{ m['content'] | trim }}{{ '<end_of_turn>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
    )
    return _finished(core, chat, bos="<bos>", eos="<eos>", begins="<bos>")


def llama3() -> PreTrainedTokenizerFast:
    """Llama 3: bytes, digits by threes, and a header before each message."""
    special = ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
    core = _byte_level(special, r"\p{N}{1,3}| ?\p{L}+|\s+(?!\S)|\s+| ?[^\s\p{L}\p{N}]+")
    chat = (
        "{{ bos_token }}{% for m in messages %}"
        "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' }}"
        "{{ m['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
    )
    return _finished(core, chat, bos=special[0], eos="<|eot_id|>", begins=special[0])


def qwen() -> PreTrainedTokenizerFast:
    """Qwen 2.5: bytes, single digits, nothing before a text."""
    core = _byte_level(QWEN_SPECIAL, QWEN_SPLIT)
    chat = (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    return _finished(core, chat, bos=None, eos="<|im_end|>")


def qwen3() -> PreTrainedTokenizerFast:
    """Qwen 3: as `qwen`, but thoughts stand before the last answer only."""
    core = _byte_level(QWEN_SPECIAL, QWEN_SPLIT)
    return _finished(core, THINKING.format("", ""), bos=None, eos="<|im_end|>")


def qwen3_marked() -> PreTrainedTokenizerFast:
    """Qwen 3 with a template that marks what the assistant says."""
    core = _byte_level(QWEN_SPECIAL, QWEN_SPLIT)
    chat = THINKING.format("{% generation %}", "{% endgeneration %}")
    return _finished(core, chat, bos=None, eos="<|im_end|>")


def qwen_tools() -> PreTrainedTokenizerFast:
    """Qwen 2.5 with tools: as its own template has it, but for the words of its system message."""
    core = _byte_level(QWEN_SPECIAL, QWEN_SPLIT)
    return _finished(core, QWEN_TOOLS, bos=None, eos="<|im_end|>")


def qwen3_tools() -> PreTrainedTokenizerFast:
    """Qwen 3 with tools: an empty thought stands before a last answer only."""
    core = _byte_level(QWEN_SPECIAL, QWEN_SPLIT)
    thought = "{%- if loop.last %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
    chat = QWEN_TOOLS.replace("{#- thought #}", thought)
    return _finished(core, chat, bos=None, eos="<|im_end|>")


def qwen_tools_marked() -> PreTrainedTokenizerFast:
    """Qwen with tools and a template that marks what the assistant says."""
    core = _byte_level(QWEN_SPECIAL, QWEN_SPLIT)
    chat = QWEN_TOOLS.replace("{#- said #}", "{%- generation %}")
    chat = chat.replace("{#- over #}", "{%- endgeneration %}")
    return _finished(core, chat, bos=None, eos="<|im_end|>")


def mistral_tools() -> PreTrainedTokenizerFast:
    """Mistral with tools: users and answers have to alternate, calls of tools apart."""
    special = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[TOOL_RESULTS]"]
    core = _sentencepiece([*special, "[/TOOL_RESULTS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"])
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    core.decoder = decoders.Sequence([*_spaces(), decoders.Strip(" ", 1, 0)])
    return _finished(core, MISTRAL_TOOLS, bos="<s>", eos="</s>", begins="<s>")


def gpt2() -> PreTrainedTokenizerFast:
    """GPT-2: bytes, and one token that begins and ends a text; no chat template."""
    core = _byte_level(["<|endoftext|>"])
    return _finished(core, None, bos="<|endoftext|>", eos="<|endoftext|>")


QWEN_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
QWEN_SPLIT = r"\p{N}| ?\p{L}+|\s+(?!\S)|\s+| ?[^\s\p{L}\p{N}]+"
THINKING = (
    "{{%- set ns = namespace(last=0) %}}{{%- for m in messages %}}"
    "{{%- if m.role == 'user' %}}{{%- set ns.last = loop.index0 %}}{{%- endif %}}{{%- endfor %}}"
    "{{%- for m in messages %}}{{{{- '<|im_start|>' + m.role + '\n' }}}}"
    "{{%- if m.role == 'assistant' %}}{}{{%- set said = m.content.split('</think>')[-1] %}}"
    "{{%- if loop.index0 > ns.last %}}{{{{- '<think>\n\n</think>\n\n' }}}}{{%- endif %}}"
    "{{{{- said.lstrip('\n') + '<|im_end|>\n' }}}}{}"
    "{{%- else %}}{{{{- m.content + '<|im_end|>\n' }}}}{{%- endif %}}{{%- endfor %}}"
    "{{%- if add_generation_prompt %}}{{{{- '<|im_start|>assistant\n' }}}}{{%- endif %}}"
)

QWEN_TOOLS = (
    "{%- if tools %}{{- '<|im_start|>system\n# Tools\n<tools>' }}"
    "{%- for tool in tools %}{{- '\n' + (tool | tojson) }}{%- endfor %}"
    "{{- '\n</tools><|im_end|>\n' }}{%- endif %}"
    "{%- for m in messages %}"
    "{%- if m.role == 'tool' %}"
    "{%- if loop.index0 == 0 or messages[loop.index0 - 1].role != 'tool' %}"
    "{{- '<|im_start|>user' }}{%- endif %}"
    "{{- '\n<tool_response>\n' + m.content + '\n</tool_response>' }}"
    "{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}"
    "{{- '<|im_end|>\n' }}{%- endif %}"
    "{%- elif m.role == 'assistant' %}{{- '<|im_start|>assistant' }}"
    "{#- said #}{%- if m.content or not m.tool_calls %}{{- '\n' }}{#- thought #}"
    "{{- m.content }}{%- endif %}"
    "{%- for call in m.tool_calls %}"
    "{%- if call.function is defined %}{%- set call = call.function %}{%- endif %}"
    '{{- \'\n<tool_call>\n{"name": "\' + call.name + \'", "arguments": \' }}'
    "{{- call.arguments | tojson }}{{- '}\n</tool_call>' }}{%- endfor %}"
    "{{- '<|im_end|>\n' }}{#- over #}"
    "{%- else %}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endif %}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
MISTRAL_TOOLS = (
    "{{- bos_token }}{%- set ns = namespace(i=0) %}"
    "{%- for m in messages %}{%- if m.role != 'tool' and not m.tool_calls %}"
    "{%- if (m.role == 'user') != (ns.i % 2 == 0) %}"
    "{{- raise_exception('roles must alternate') }}{%- endif %}"
    "{%- set ns.i = ns.i + 1 %}{%- endif %}{%- endfor %}"
    "{%- for m in messages %}{%- if m.role == 'user' %}"
    "{%- if tools and loop.first %}"
    "{{- '[AVAILABLE_TOOLS] ' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{%- endif %}"
    "{{- '[INST] ' + m.content + '[/INST]' }}"
    "{%- elif m.tool_calls %}{{- '[TOOL_CALLS] [' }}{%- for call in m.tool_calls %}"
    "{{- call.function | tojson }}{{- ', ' if not loop.last else ']' }}{%- endfor %}"
    "{{- eos_token }}"
    "{%- elif m.role == 'tool' %}{{- '[TOOL_RESULTS] ' + m.content + '[/TOOL_RESULTS]' }}"
    "{%- else %}{{- ' ' + m.content + eos_token }}{%- endif %}{%- endfor %}"
)

TOKENIZERS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    maker.__name__: cache(maker)
    for maker in (llama2, mistral, gemma, llama3, qwen, qwen3, qwen3_marked, gpt2)
}
WITH_TOOLS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    maker.__name__: cache(maker)
    for maker in (qwen_tools, qwen3_tools, qwen_tools_marked, mistral_tools)
}


def _sentencepiece(special: list[str]) -> Tokenizer:
    """Pieces of characters, and the rest in bytes; no piece crosses a mark."""
    core = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(WORD_MARK, "merged_with_next")
    byte_names = [f"<0x{byte:02X}>" for byte in range(256)]
    texts = [TEXT.replace(" ", WORD_MARK)] * 3
    _train(core, [*special, *byte_names], texts, vocab_size=360, alphabet=[])
    core.pre_tokenizer = None
    return core


def _byte_level(special: list[str], split: str | None = None) -> Tokenizer:
    core = Tokenizer(models.BPE())
    by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split is None)
    parts = [pre_tokenizers.Split(Regex(split), "isolated")] if split else []
    core.pre_tokenizer = pre_tokenizers.Sequence([*parts, by_bytes])
    core.decoder = decoders.ByteLevel()
    _train(core, special, [TEXT] * 3, 360, pre_tokenizers.ByteLevel.alphabet())
    return core


def _train(
    core: Tokenizer, special: list[str], texts: list[str], vocab_size: int, alphabet: list[str]
) -> None:
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)


def _spaces() -> list[decoders.Decoder]:
    return [decoders.Replace(WORD_MARK, " "), decoders.ByteFallback(), decoders.Fuse()]


def _finished(
    core: Tokenizer, chat: str | None, *, bos: str | None, eos: str, begins: str | None = None
) -> PreTrainedTokenizerFast:
    """The tokenizer as `transformers` has it; a text begins with `begins`."""
    if begins:
        core.post_processor = processors.TemplateProcessing(
            single=f"{begins} $A",
            pair=f"{begins} $A {begins} $B",
            special_tokens=[(begins, core.token_to_id(begins))],
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=bos, eos_token=AddedToken(eos), chat_template=chat
    )
