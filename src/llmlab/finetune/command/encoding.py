"""Examples as rows of tokens; only answers and their end tokens count in the loss."""

from collections.abc import Sequence
from dataclasses import replace

from llmlab.finetune.command.examples import (
    Chat,
    Dataset,
    Example,
    Message,
    Pair,
    SkippedLine,
)
from llmlab.finetune.model.chat_templates import Conversation
from llmlab.finetune.model.codecs import TextCodec
from llmlab.finetune.tasks.batches import Sequences, padded
from llmlab.finetune.tasks.texts import TokenizedText, Turn, write_turns
from llmlab.method.errors import LabError


def encode_examples(
    examples: Sequence[Example], tokenizer: TextCodec, context: int, *, pack: bool = False
) -> Sequences:
    """Examples as rows of tokens, padded on the right; only answers count in the loss.

    Args:
        context: the longest row, in tokens.
        pack: put several examples into a row, each into the first row with room, so that there
            is less padding. The same tokens count, but attention also sees the examples before
            one in its row.

    Raises:
        LabError: there is no example, or one is longer than the context or cannot be encoded;
            the message names it.
    """
    if not examples:
        raise LabError("there is no example to train on: name a file that holds some.")
    texts = [_encode(example, tokenizer, context) for example in examples]
    rows = _packed(texts, context + 1) if pack else texts
    width = max(len(row.ids) for row in rows) - 1
    return padded(rows, width, tokenizer.pad)


def encodable(data: Dataset, tokenizer: TextCodec, context: int) -> Dataset:
    """`data` without the training examples that cannot be encoded or do not fit the context.

    Raises:
        LabError: none is left.
    """
    good, skipped = [], list(data.skipped)
    for example in data.train:
        try:
            _encode(example, tokenizer, context)
        except LabError as error:
            skipped.append(SkippedLine(example.line, str(error).removeprefix(f"{example.where}: ")))
        else:
            good.append(example)
    if not good:
        raise LabError(f"no example can be used; of the first, {skipped[0].reason}")
    skipped.sort(key=lambda bad: bad.line)
    return replace(data, train=tuple(good), skipped=tuple(skipped))


def prompt_of(example: Example, tokenizer: TextCodec) -> str:
    """The text before the example's last answer that counts; errors as `encode_examples`."""
    content = example.content
    if isinstance(content, Pair):
        return content.prompt
    last = content.learned[-1]
    if tokenizer.chat:
        return tokenizer.chat.write(_conversation(content).until(last), answer_follows=True)
    *before, turn = _turns(content.messages[: last + 1])
    return write_turns(before, tokenizer.end_text)[0] + turn.prompt


def splits_token(example: Example, tokenizer: TextCodec) -> bool:
    """Whether the answer to a prompt begins inside a token, as after a prompt that ends in a space.

    A model that is given the prompt alone then sees other tokens than in training.
    """
    if not isinstance(example.content, Pair):
        return False
    prompt = tokenizer.encode_prompt(example.content.prompt)
    return _tokenized(example.content, tokenizer).ids[: len(prompt)] != prompt


def _encode(example: Example, tokenizer: TextCodec, context: int) -> TokenizedText:
    """An example in tokens; LabError if it cannot be encoded or does not fit."""
    try:
        text = _tokenized(example.content, tokenizer)
    except LabError as error:
        raise LabError(f"{example.where}: {error}") from None
    if text.counts[0]:  # an answer has to follow a token: without a prompt, the end token
        text = TokenizedText([tokenizer.end, *text.ids], [False, *text.counts])
    _require_fit(example, text, context)
    return text


def _tokenized(content: Pair | Chat, tokenizer: TextCodec) -> TokenizedText:
    if isinstance(content, Pair):
        return tokenizer.encode([Turn(content.prompt, content.response)])
    if tokenizer.chat:
        return tokenizer.chat.encode(_conversation(content), content.learned)
    if content.uses_tools:
        raise LabError(
            "the base model has no chat template, which would say how tools are written: choose a "
            "base model that has one, or write the example as prompt and response."
        )
    return tokenizer.encode(_turns(content.messages))


def _conversation(chat: Chat) -> Conversation:
    messages = (
        message.model_dump(exclude_defaults=True, exclude={"weight"}) for message in chat.messages
    )
    return Conversation(tuple(messages), tuple(chat.tools))


def _turns(messages: Sequence[Message]) -> list[Turn]:
    """Each message on a line of its own that begins with its role."""
    turns, prompt = [], ""
    for message in messages:
        if message.role == "assistant":
            turns.append(Turn(f"{prompt}assistant: ", message.content, message.is_learned))
            prompt = ""
        else:
            prompt += f"{message.role}: {message.content}\n"
    return turns


def _packed(texts: Sequence[TokenizedText], room: int) -> list[TokenizedText]:
    """Rows of texts; each text goes into the first row with room."""
    shortest = min(len(text.ids) for text in texts)
    rows: list[TokenizedText] = []
    open_rows: list[TokenizedText] = []
    for text in texts:
        row = next((r for r in open_rows if len(r.ids) + len(text.ids) <= room), None)
        if row is None:
            row = TokenizedText([], [])
            rows.append(row)
            open_rows.append(row)
        row.ids.extend(text.ids)
        row.counts.extend(text.counts)
        if len(row.ids) + shortest > room:
            open_rows.remove(row)
    return rows


def _require_fit(example: Example, text: TokenizedText, context: int) -> None:
    needed = len(text.ids) - 1
    if needed > context:
        raise LabError(
            f"{example.where}: the example needs {needed} tokens and the context holds {context}: "
            "shorten it, or choose a base model with a longer context."
        )
