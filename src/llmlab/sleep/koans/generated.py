"""Koans from the grammar: split by template, without twins, each verified red and green."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Literal

from llmlab.method.errors import LabError
from llmlab.sleep.koans.grammar import Draft, Grammar, Template, draft, structure, templates
from llmlab.sleep.koans.judges import run_programs
from llmlab.sleep.koans.koan import Case, Koan, Language, Program
from llmlab.sleep.koans.python_grammar import PYTHON
from llmlab.sleep.koans.rust_grammar import RUST
from llmlab.sleep.koans.store import Store
from llmlab.sleep.koans.verdict import Seen, judged
from llmlab.sleep.sandbox.sandbox import Unguarded

GRAMMARS: dict[Language, Grammar] = {"rust": RUST, "python": PYTHON}
Split = Literal["train", "validation", "test"]
SHARES: dict[Split, float] = {"train": 0.6, "validation": 0.15, "test": 0.25}
ARGUMENTS = (1, 5, 9)
"""The arguments that each function is called with."""
TRIES = 40
"""Draws in a row without a new program, after which the search ends."""


@cache
def split_templates(language: Language) -> dict[Split, tuple[Template, ...]]:
    """The templates of each part; every family has some in each, and no template is in two."""
    parts: dict[Split, list[Template]] = {split: [] for split in SHARES}
    grammar = GRAMMARS[language]
    for family in grammar.families:
        of_family = [found for found in templates(grammar) if found.family == family]
        random.Random(f"split {family}").shuffle(of_family)
        n_train, n_validation = (
            round(SHARES[split] * len(of_family)) for split in ("train", "validation")
        )
        parts["train"] += of_family[:n_train]
        parts["validation"] += of_family[n_train : n_train + n_validation]
        parts["test"] += of_family[n_train + n_validation :]
    return {split: tuple(found) for split, found in parts.items()}


def generate(
    language: Language,
    split: Split,
    count: int,
    seed: int,
    *,
    families: Sequence[str] | None = None,
    store: Store | None = None,
) -> tuple[Koan, ...]:
    """Koans of one part, as many of each family as of any other, verified.

    Args:
        families: of these alone; None for all.
        store: where results are kept.

    Raises:
        LabError: there is no compiler, no such family, or there are not so many different ones.
    """
    chosen = list(families or GRAMMARS[language].families)
    if unknown := [name for name in chosen if name not in GRAMMARS[language].families]:
        raise LabError(
            f"there is no family '{unknown[0]}' in {language}: choose from "
            f"{', '.join(GRAMMARS[language].families)}."
        )
    rng = random.Random(f"{language} {split} {seed}")
    drafts = _drafts(language, split, chosen, rng)
    koans: list[Koan] = []
    while len(koans) < count:
        missing = count - len(koans)
        new = [found for found, _ in zip(drafts, range(missing), strict=False)]
        if not new:
            raise LabError(
                f"there are no more than {len(koans)} different koans in {language} for "
                f"{split} here: ask for fewer."
            )
        koans += _verified(language, new, store)
    return tuple(replace(koan, name=f"{koan.name}_{number}") for number, koan in enumerate(koans))


def _drafts(
    language: Language, split: Split, families: Sequence[str], rng: random.Random
) -> Iterator[Draft]:
    """Programs that differ in more than names, as long as there are any; then in names alone."""
    grammar = GRAMMARS[language]
    queues = [
        [found for found in split_templates(language)[split] if found.family == family]
        for family in families
    ]
    for key in (structure, str):
        seen: set[str] = set()
        misses = 0
        while misses < TRIES * len(queues):
            for queue in queues:
                found = draft(rng.choice(queue), grammar, rng)
                is_new = key(found.start) not in seen
                misses = 0 if is_new else misses + 1
                if is_new:
                    seen.add(key(found.start))
                    yield found


def _verified(language: Language, drafts: Sequence[Draft], store: Store | None) -> Iterator[Koan]:
    """The drafts whose solution returns values, and whose start is red for its declared reason."""
    solutions = _run(language, [_asked(found, found.solution) for found in drafts], store)
    solved = [
        _koan(language, found, solution)
        for found, solution in zip(drafts, solutions, strict=True)
        if solution.failure is None
    ]
    starts = _run(language, [koan.broken() for koan in solved], store)
    for koan, start in zip(solved, starts, strict=True):
        if judged(koan.broken(), start).error == koan.error:
            yield koan


def _run(language: Language, programs: Sequence[Program], store: Store | None) -> list[Seen]:
    """The results of programs of the grammar, which need no sandbox."""
    return run_programs(language, programs, Unguarded(), store)


def _asked(found: Draft, code: str) -> Program:
    return Program(code, tuple(Case(f"{found.function}({n})", "") for n in ARGUMENTS))


def _koan(language: Language, found: Draft, solution: Seen) -> Koan:
    calls = (f"{found.function}({n})" for n in ARGUMENTS)
    template = found.template
    return Koan(
        name=template.name.replace("-", "_"),
        family=template.family,
        language=language,
        error=template.error,
        start=found.start,
        solution=found.solution,
        cases=tuple(map(Case, calls, solution.values)),
        hint=GRAMMARS[language].hints[template.family],
        template=template.name,
    )
