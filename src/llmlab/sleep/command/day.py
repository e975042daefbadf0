"""`llmlab sleep run`, `evaluate` and `compare`: repair koans, and see what came of it."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from llmlab.method.checksums import checksums
from llmlab.method.documents import listed
from llmlab.method.errors import LabError
from llmlab.method.files import require_writable
from llmlab.method.json_values import print_json
from llmlab.method.locks import beside, locked
from llmlab.method.options import LARGEST_SEED, Json, expand_options
from llmlab.method.plain import plain_console
from llmlab.sleep.command.koans import KoanOptions, require_right
from llmlab.sleep.command.options import EPISODES, ClientOptions, open_client, weights_folder
from llmlab.sleep.koans.check import check_koans
from llmlab.sleep.koans.koan import Koan
from llmlab.sleep.repair.episodes import Episode, EpisodeFile
from llmlab.sleep.repair.examples import examples_for
from llmlab.sleep.repair.loop import Setting, attempt
from llmlab.sleep.repair.measures import Evaluation, compared, evaluated
from llmlab.sleep.repair.task import Client
from llmlab.sleep.sandbox.levels import open_sandbox

SHOWN = 20
"""Most koans that a comparison lists."""
BATCH = 100
"""Koans tried at once; the episodes of a batch are on disk before the next one starts."""


@dataclass(frozen=True)
class SettingOptions:
    """What a model is told, and how often it may answer."""

    turns: Annotated[int, typer.Option(min=1, help="Answers allowed per koan.")] = 1
    hints: Annotated[bool, typer.Option(help="Name the family of the bug, with advice.")] = False
    shots: Annotated[int, typer.Option(min=0, help="Example repairs to show first.")] = 0

    def setting(self, koans: Sequence[Koan]) -> Setting:
        return Setting(self.turns, self.hints, examples_for(koans, self.shots))


@expand_options
def run(
    *,
    koan_options: KoanOptions,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=LARGEST_SEED, help="Random seed of generated koans and of sampled answers."
        ),
    ] = 0,
    client_options: ClientOptions,
    setting_options: SettingOptions,
    temperature: Annotated[
        float,
        typer.Option(
            min=0.0, help="0 takes the likeliest token; 1 samples the model's distribution."
        ),
    ] = 0.0,
    allow_unsandboxed: Annotated[
        bool, typer.Option("--allow-unsandboxed", help="Run a model's code without a sandbox.")
    ] = False,
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to append episodes to.")] = Path(
        "runs/sleep/episodes.jsonl"
    ),
) -> None:
    """Let a model repair koans; each attempt becomes a line in the file of episodes.

    A stopped run resumes where it stopped.
    """
    require_writable(out)
    koans = koan_options.koans(seed)
    sandbox = open_sandbox(allow_unsandboxed)
    client = open_client(client_options, temperature, seed)
    _require_language(client, koans)
    if koan_options.is_file:
        require_right(check_koans(koans, sandbox))
    setting = setting_options.setting(koans)
    file = EpisodeFile(out)
    name = _run_name(_identity(client.name), setting, temperature, seed)
    taken = (
        f"another process is writing to {out}: wait until it ends, or name another file with --out."
    )
    with locked(beside(out), taken):
        left = _untried(koans, file, name)
        for start in range(0, len(left), BATCH):
            tried = attempt(left[start : start + BATCH], client, sandbox, setting, run=name)
            _require_answers(tried)
            for episode in tried:
                file.append(episode)
    done = [episode for episode in file.read() if episode.run == name]
    print(f"sandbox: {sandbox.level}")
    _print_evaluation(evaluated(done))
    print(f"Episodes are in {out}.")


def evaluate(
    episodes: Annotated[Path, typer.Argument(metavar="EPISODES", help=EPISODES)],
    as_json: Json = False,
) -> None:
    """Show the pass rate with its interval, by family, and the turns and costs of the run."""
    found = EpisodeFile(episodes).read()
    families = {
        family: evaluated([episode for episode in found if episode.family == family])
        for family in sorted({episode.family for episode in found})
    }
    together = evaluated(found)
    if as_json:
        print_json({"all": together, **families})
        return
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("Family")
    for title in ("koans", "green", "share", "95 % interval"):
        table.add_column(title, justify="right")
    for family, each in families.items():
        table.add_row(family, str(each.n), str(each.passed), *_rate(each))
    plain_console().print(table)
    _print_evaluation(together)


def compare(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help=EPISODES)],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help=EPISODES)],
    as_json: Json = False,
) -> None:
    """Compare two runs koan by koan: what the second gained and lost, by an exact McNemar test."""
    found = compared(EpisodeFile(first).read(), EpisodeFile(second).read())
    if as_json:
        print_json(found)
        return
    print(f"{found.n} koans in both: {len(found.gains)} gained, {len(found.regressions)} lost.")
    print(
        f"Difference {found.difference:+.1%}, 95 % interval {found.low:+.1%} to {found.high:+.1%} "
        f"(bootstrap over families); exact McNemar test p = {found.p:.3g}."
    )
    for title, names in (("Lost", found.regressions), ("Gained", found.gains)):
        if names:
            print(f"{title}: {listed(names, SHOWN)}.")


def _identity(name: str) -> str:
    """The name of a client; with a digest of its weights, if others may take their place."""
    folder = weights_folder(name)
    if folder is None:
        return name
    digest = hashlib.sha256(repr(checksums(folder)).encode()).hexdigest()
    return f"{name} {digest[:8]}"


def _run_name(client: str, setting: Setting, temperature: float, seed: int) -> str:
    told = "hints" if setting.families else "no hints"
    shots = max(map(len, setting.examples.values()), default=0)
    return (
        f"{client}, {setting.turns} turns, {told}, {shots} shots, "
        f"temperature {temperature:g}, seed {seed}"
    )


def _untried(koans: tuple[Koan, ...], file: EpisodeFile, run: str) -> list[Koan]:
    """Koans without an episode of this run."""
    if not file.path.exists():
        return list(koans)
    done = {(each.koan, each.start) for each in file.read() if each.run == run}
    return [koan for koan in koans if (koan.name, koan.start) not in done]


def _print_evaluation(found: Evaluation) -> None:
    share, interval = _rate(found)
    print(f"{found.passed} of {found.n} green: {share}, 95 % interval {interval}.")
    turns = f"Turns to green {found.median_turns:g} (median); " if found.passed else ""
    print(
        f"{turns}no edit in {found.no_edit:.1%} of "
        f"answers, no answer in {found.no_answer:.1%}; {found.tokens:,} tokens, "
        f"{found.seconds:.1f} s of the model's time."
    )


def _rate(found: Evaluation) -> tuple[str, str]:
    return f"{found.rate.value:.1%}", f"{found.rate.low:.1%} to {found.rate.high:.1%}"


def _require_language(client: Client, koans: tuple[Koan, ...]) -> None:
    """Check that the client knows the language of the koans; only a small coder knows just one.

    Raises:
        LabError: the coder knows another language.
    """
    known = getattr(client, "language", None)
    if known and (strangers := {koan.language for koan in koans} - {known}):
        raise LabError(
            f"{client.name} repairs {known}, and these koans are in {', '.join(strangers)}: take "
            f"--generated 100 --language {known}, or another --base."
        )


def _require_answers(episodes: list[Episode]) -> None:
    """Check that the model answered something, before its episodes are kept.

    Raises:
        LabError: it answered no question.
    """
    turns = [turn for episode in episodes for turn in episode.turns]
    if all(turn.outcome == "no answer" for turn in turns):
        (cause, _), *_ = Counter(turn.said for turn in turns).most_common(1)
        raise LabError(
            f"the model answers nothing ({cause}): make sure that it runs, then repeat the "
            "command; it keeps the episodes that are already written."
        )
