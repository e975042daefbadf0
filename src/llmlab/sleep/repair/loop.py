"""Red, patch, green: ask for an edit, apply it, judge, and ask again with what the judge said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from llmlab.sleep.koans.judges import judge_koans
from llmlab.sleep.koans.koan import Koan
from llmlab.sleep.koans.store import Store
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.repair.edits import EditError, read_edit
from llmlab.sleep.repair.episodes import Episode, Turn, episode_id
from llmlab.sleep.repair.task import Answer, Client, Example, Task
from llmlab.sleep.sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class Setting:
    """How koans are tried.

    Attributes:
        turns: answers that a model may give for each koan.
        families: whether it is told the family of the bug, with its hint.
        examples: repairs shown before the question, by the family of the bug.
    """

    turns: int = 1
    families: bool = False
    examples: Mapping[str, tuple[Example, ...]] = field(default_factory=dict)


@dataclass
class _Try:
    koan: Koan
    first: Verdict
    task: Task
    turns: list[Turn] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return bool(self.turns) and self.turns[-1].outcome in ("green", "no answer")


def attempt(
    koans: Sequence[Koan],
    client: Client,
    sandbox: Sandbox,
    setting: Setting,
    *,
    run: str = "run",
    store: Store | None = None,
) -> list[Episode]:
    """Try all koans side by side, turn by turn; an episode for each, in their order.

    An answer that is not an edit counts as a failed turn, and the model is told what was wrong.

    Raises:
        LabError: as `judge_koans`.
    """
    starts = judge_koans(koans, [koan.start for koan in koans], sandbox, store)
    tries = [
        _Try(koan, start, _task(koan, start, setting))
        for koan, start in zip(koans, starts, strict=True)
    ]
    for turn in range(setting.turns):
        open_tries = [each for each in tries if not each.is_over]
        if not open_tries:
            break
        answers = client.answer([each.task for each in open_tries], turn)
        _judge_turn(open_tries, answers, sandbox, store)
    return [_episode(each, client, sandbox, run) for each in tries]


def _task(koan: Koan, verdict: Verdict, setting: Setting) -> Task:
    family, hint = (koan.family, koan.hint) if setting.families else ("", "")
    shown = setting.examples.get(koan.family, ())
    return Task(koan.language, koan.start, verdict, family, hint, shown)


def _judge_turn(
    tries: Sequence[_Try], answers: Sequence[Answer], sandbox: Sandbox, store: Store | None
) -> None:
    edited: list[tuple[_Try, Answer, str]] = []
    for each, answer in zip(tries, answers, strict=True):
        if answer.failure:
            each.turns.append(_turn(answer, "no answer", said=answer.failure))
            continue
        try:
            edited.append((each, answer, read_edit(answer.text).apply(each.task.code)))
        except EditError as error:
            each.turns.append(_turn(answer, "no edit", said=str(error)))
            each.task = replace(each.task, complaint=str(error))
    verdicts = judge_koans(
        [each.koan for each, _, _ in edited], [code for _, _, code in edited], sandbox, store
    )
    for (each, answer, code), verdict in zip(edited, verdicts, strict=True):
        each.turns.append(
            _turn(
                answer,
                verdict.outcome,
                error=verdict.error,
                line=verdict.line,
                said=verdict.message,
                code=code,
            )
        )
        each.task = replace(each.task, code=code, verdict=verdict, complaint="")


def _turn(answer: Answer, outcome: str, **fields: object) -> Turn:
    return Turn(
        answer=answer.text,
        outcome=outcome,
        prompt_tokens=answer.prompt_tokens,
        tokens=answer.tokens,
        seconds=answer.seconds,
        **fields,
    )


def _episode(each: _Try, client: Client, sandbox: Sandbox, run: str) -> Episode:
    koan, first = each.koan, each.first
    return Episode(
        id=episode_id(run, koan.name, koan.start),
        run=run,
        koan=koan.name,
        family=koan.family,
        language=koan.language,
        template=koan.template,
        model=client.name,
        sandbox=sandbox.level,
        start=koan.start,
        solution=koan.solution,
        start_outcome=first.outcome,
        start_error=first.error,
        start_line=first.line,
        start_said=first.message,
        turns=tuple(each.turns),
    )
