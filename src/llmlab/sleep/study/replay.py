"""Episodes as a view: what a page needs to replay them."""

from collections.abc import Iterator, Mapping, Sequence

from llmlab.sleep.repair.episodes import Episode


def episodes_view(episodes: Sequence[Episode]) -> Mapping[str, object]:
    """The programs, answers and verdicts of some episodes, as plain JSON."""
    shown = [
        {"koan": each.koan, "family": each.family, "steps": list(_steps(each))} for each in episodes
    ]
    return {"kind": "episodes", "episodes": shown}


def _steps(episode: Episode) -> Iterator[Mapping[str, str]]:
    code = episode.start
    yield {"code": code, "outcome": episode.start_outcome, "said": _told(episode)}
    for turn in episode.turns:
        code = turn.code or code  # an answer that is not an edit leaves the program as it is
        said = f"{turn.error}: {turn.said}" if turn.error else turn.said
        yield {"code": code, "outcome": turn.outcome, "said": said, "answer": turn.answer}


def _told(episode: Episode) -> str:
    where = f"line {episode.start_line}: " if episode.start_line else ""
    return f"{where}{episode.start_error}: {episode.start_said}"
