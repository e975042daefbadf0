"""Run programs by the judge of their language."""

from collections.abc import Sequence

from llmlab.sleep.koans.koan import Koan, Language, Program
from llmlab.sleep.koans.python import run_python
from llmlab.sleep.koans.rust import run_rust
from llmlab.sleep.koans.store import Store, content_key
from llmlab.sleep.koans.verdict import Seen, Verdict, judged
from llmlab.sleep.sandbox.sandbox import Sandbox

RUNNERS = {"rust": run_rust, "python": run_python}


def run_programs(
    language: Language,
    programs: Sequence[Program],
    sandbox: Sandbox,
    store: Store | None = None,
) -> list[Seen]:
    """Compile and run programs of one language, each once; those in the store not at all.

    Raises:
        LabError: the compiler is missing, or the store cannot be used.
    """
    keys = [content_key(language, program, sandbox.level) for program in programs]
    by_key = dict(zip(keys, programs, strict=True))
    known = store.get(list(by_key)) if store else {}
    new = [key for key in by_key if key not in known]
    fresh = dict(zip(new, RUNNERS[language]([by_key[key] for key in new], sandbox), strict=True))
    if store:
        store.put(fresh)
    seen = known | fresh
    return [seen[key] for key in keys]


def judge(
    language: Language,
    programs: Sequence[Program],
    sandbox: Sandbox,
    store: Store | None = None,
) -> list[Verdict]:
    """Verdicts on programs of one language, in their order; errors as `run_programs`."""
    return list(map(judged, programs, run_programs(language, programs, sandbox, store)))


def judge_koans(
    koans: Sequence[Koan], codes: Sequence[str], sandbox: Sandbox, store: Store | None = None
) -> list[Verdict]:
    """Verdicts on one attempt at each koan, whatever languages they are in; errors as above."""
    verdicts: dict[int, Verdict] = {}
    for language in RUNNERS:
        chosen = [index for index, koan in enumerate(koans) if koan.language == language]
        programs = [Program(codes[index], koans[index].cases) for index in chosen]
        if programs:
            found = judge(language, programs, sandbox, store)
            verdicts |= dict(zip(chosen, found, strict=True))
    return [verdicts[index] for index in range(len(koans))]
