"""A comparison in words: a page of the book, a mark on a page, a comment on a change."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from llmlab.book import markup, style
from llmlab.book.versions.comparison import Comparison, Rejudged, Rerun
from llmlab.book.versions.snapshot import Claim, Table
from llmlab.method.documents import listed
from llmlab.method.judging.sides import short
from llmlab.method.judging.verdict import SIGNS
from llmlab.method.wording import counted

FIRST = "The git history here holds no earlier version to compare with."
MOST_NAMES = 6
"""Most names of changed definitions to list; a page is not a diff."""


def page(found: Comparison | None) -> str:
    """The text of the page "What changed"."""
    if found is None:
        return FIRST
    commit = found.former.commit[:7]
    since = f"Compared with version {found.former.version} (commit `{commit}`). {summary(found)}"
    return "\n\n".join([since, _drawing(found), *_sections(found)])


def comment(found: Comparison | None) -> str:
    """The same text as a comment on a change, for GitHub and GitLab."""
    if found is None:
        return f"### What this changes in the book\n\n{FIRST}"
    said = [summary(found), *_sections(found)]
    return "\n\n".join(["### What this changes in the book", *said])


def mark(found: Comparison, experiment: str) -> str:
    """The note about changes on the page of an experiment; empty if there are none."""
    own = found.of_experiment(experiment)
    if own.is_empty:
        return ""
    parts = [
        *(f"{one.after.id} was {one.before.word}, now {one.after.word}" for one in _words(own)),
        *(f"{claim.id} is new" for claim in own.new),
        _if_any(len(own.rejudged) - len(_words(own)), "effect", "moved"),
        _if_any(len(own.rerun), "table", "computed again"),
        _if_any(len(own.added), "table", "new"),
    ]
    said = "; ".join(filter(None, parts))
    title = f"Changed since {found.former.version}"
    return f'::: {{.callout-note title="{title}"}}\n{said}; see @sec-changes.\n:::'


def summary(found: Comparison) -> str:
    """The comparison in a sentence."""
    if found.is_empty:
        return f"No verdict and no table differs from {found.former.version}."
    parts = [
        _if_any(len(_words(found)), "verdict", "changed"),
        _if_any(len(found.rejudged) - len(_words(found)), "effect", "moved, same verdict"),
        _if_any(len(found.new), "hypothesis", "new"),
        _if_any(len(found.gone), "hypothesis", "removed"),
        _if_any(len(found.added), "table", "new"),
        _if_any(len(found.rerun), "table", "computed again"),
    ]
    return f"Since {found.former.version}: {', '.join(filter(None, parts))}."


def _drawing(found: Comparison) -> str:
    """Effects and intervals before and after; empty if none moved."""
    rows = [one for one in found.rejudged if _is_drawn(one)]
    if not rows:
        return ""
    names = ", ".join(one.after.id for one in rows)
    alternative = f"Effect and interval before and after, for {names}; the table has the numbers."
    legend = "Hollow: before; filled: now. Each row has its own scale."
    return f'![]({style.svg_uri(_figure(rows))}){{alt="{alternative}"}}\n\n{legend}'


def _figure(rows: Sequence[Rejudged]) -> Figure:
    """A row for each hypothesis, on its own scale."""
    figure, axes = style.subplots(height=0.7 + 0.42 * len(rows))
    for place, one in enumerate(reversed(rows)):
        scale = max(abs(end) for claim in (one.before, one.after) for end in _ends(claim)) or 1.0
        for claim, shift, fill in ((one.before, 0.14, "white"), (one.after, -0.14, None)):
            colour = style.VERDICT_COLOURS.get(claim.word, style.MUTED)
            low, high = (end / scale for end in _ends(claim))
            axes.plot([low, high], [place + shift] * 2, color=colour, linewidth=1.4)
            look = {"color": colour, "markerfacecolor": fill or colour}
            axes.plot(claim.effect / scale, place + shift, "o", **look)
    axes.axvline(0, color=style.MUTED, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [one.after.id for one in reversed(rows)])
    axes.set_xticks([0], ["no effect"])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    return figure


def _sections(found: Comparison) -> Iterator[str]:
    yield from _section(
        "Judged again",
        ("Hypothesis", "Before", "Now"),
        [(_name(one.after), _verdict(one.before), _verdict(one.after)) for one in found.rejudged],
    )
    yield from _section(
        "New hypotheses",
        ("Hypothesis", "Verdict", "Statement"),
        [(_name(c), _verdict(c), c.hypothesis.statement) for c in found.new],
    )
    yield from _section(
        "Removed", ("Hypothesis", "Last verdict"), [(_name(c), _verdict(c)) for c in found.gone]
    )
    yield from _section(
        "Computed again",
        ("Table", "Runs", "Changed code"),
        [(f"`{one.table.name}`", str(one.table.rows), _code(one)) for one in found.rerun],
    )
    yield from _section(
        "New tables",
        ("Table", "Runs", "Made at"),
        [(f"`{table.name}`", str(table.rows), _made(table)) for table in found.added],
    )


def _section(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    if rows := list(rows):
        yield f"#### {title}"
        yield markup.pipe_table(header, rows)


def _name(claim: Claim) -> str:
    return f"{claim.id}: {claim.hypothesis.title}"


def _verdict(claim: Claim) -> str:
    word = f"{SIGNS.get(claim.word, '')} {claim.word}".strip()
    if claim.effect is None:
        return word
    unit = "" if claim.unit in (None, "1") else f" {claim.unit}"
    ends = "" if claim.low is None else f" [{short(claim.low)}, {short(claim.high)}]"
    return f"{word}, {short(claim.effect)}{ends}{unit}, n = {claim.n}, {claim.scale}"


def _code(one: Rerun) -> str:
    return listed([f"`{name}`" for name in one.changed], MOST_NAMES) or "none"


def _made(table: Table) -> str:
    return f"`{table.git_commit[:7]}`, {table.finished[:10]}"


def _words(found: Comparison) -> list[Rejudged]:
    return [one for one in found.rejudged if one.has_other_word]


def _is_drawn(one: Rejudged) -> bool:
    numbers = [claim.effect for claim in (one.before, one.after)]
    numbers += [end for claim in (one.before, one.after) for end in _ends(claim)]
    return all(number is not None and np.isfinite(number) for number in numbers)


def _ends(claim: Claim) -> tuple[float | None, float | None]:
    return claim.low, claim.high


def _if_any(n: int, noun: str, what: str) -> str:
    """What happened to so many things; empty if to none."""
    return f"{counted(n, noun)} {what}" if n else ""
