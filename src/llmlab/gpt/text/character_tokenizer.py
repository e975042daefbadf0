"""Character tokenizer: one id per character."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CharTokenizer:
    """Maps the characters of `alphabet` to ids 1, 2, …; id 0 pads.

    Raises:
        ValueError: a character occurs twice in the alphabet.
    """

    alphabet: str
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    PAD = 0

    def __post_init__(self) -> None:
        if len(set(self.alphabet)) < len(self.alphabet):
            raise ValueError(f"the alphabet {self.alphabet!r} holds a character twice: remove one.")
        ids = {character: index for index, character in enumerate(self.alphabet, start=1)}
        object.__setattr__(self, "_ids", ids)

    @property
    def vocab_size(self) -> int:
        return len(self.alphabet) + 1

    def encode(self, text: str) -> list[int]:
        """Ids of the characters of `text`.

        Raises:
            ValueError: a character is not in the alphabet.
        """
        try:
            return [self._ids[character] for character in text]
        except KeyError as error:
            raise ValueError(
                f"the character {error.args[0]!r} is not in the tokenizer's alphabet: "
                "add it to the alphabet or clean the text."
            ) from None

    def decode(self, ids: list[int]) -> str:
        """Text of the ids, padding left out."""
        return "".join(self.alphabet[index - 1] for index in ids if index != self.PAD)
