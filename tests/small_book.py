"""A small book of its own: two experiments that train toys, four chapters."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import yaml
from warm import run_module, start_module

ROOT = Path(__file__).parent.parent

TRAINER = '''"""Trains a toy."""

import random
import time

from llmlab.method.files import packaged

NOISE = 0.1
BEST = "llmlab/facts/best_rate.txt"


def train(rate: float, seed: int, pause: float) -> float:
    """The loss after training."""
    time.sleep(pause)
    best = float(packaged(BEST).read_text())
    return abs(rate - best) + NOISE * random.Random(seed).random()
'''

EXPERIMENT = '''"""Varies the rate of {name}."""

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Metric, Outcome, Trial
from llmlab.toys import train


def run(trial: Trial) -> Outcome:
    loss = train(trial.condition["rate"], trial.seed, trial.settings["pause"])
    return Outcome({{"loss": loss}}, {{"loss": [(0, 1.0), (1, loss)]}})


EXPERIMENT = Experiment(
    name="{name}",
    title="The rate of {name}",
    question="Q-{upper}",
    summary="Varies the rate.",
    axes=[Axis("rate", "Learning rate.")],
    metrics=[Metric("loss", "Loss.", "nats", "lower", tolerance=0.1)],
    curves=[Metric("loss", "Loss.", "nats", "lower")],
    budgets={{
        "smoke": Budget({{"rate": [0.1, 0.4]}}, seeds=2, settings={{"pause": 0.0}}),
        "laptop": Budget({{"rate": [0.1, 0.4]}}, seeds=5, settings={{"pause": 0.3}}),
    }},
    run=run,
    needs={needs},
)
'''

QUESTIONS = """
[[question]]
id = "Q-ALPHA"
text = "Which rate suits alpha?"
track = "toys"

[[question]]
id = "Q-BETA"
text = "Which rate suits beta?"
track = "toys"
"""

HYPOTHESES = """
[[hypothesis]]
id = "H-ALPHA"
question = "Q-ALPHA"
experiment = "alpha"
title = "A higher rate is better"
statement = "The loss at 0.4 is lower than at 0.1."
reason = "The best rate is 0.5."
metric = "loss"
treatment = { rate = 0.4 }
control = { rate = 0.1 }
claim = "less"
margin = 0.1
family = "alpha"
registered = 2026-01-01
"""

TRACKS = """
[[track]]
id = "toys"
title = "Toys"
goal = "Play."

[[track.phase]]
id = "toys-1"
title = "First"
goal = "Begin."

[[track.phase.feature]]
title = "Two toys"
experiments = ["alpha", "beta"]
"""

CONFIG = {
    "project": {"type": "book"},
    "book": {
        "title": "Toys",
        "author": "Nobody",
        "chapters": [
            "index.ipynb",
            "results/alpha.ipynb",
            "results/beta.ipynb",
            "hypotheses/ledger.ipynb",
        ],
    },
    "bibliography": "references.bib",
    "format": {"html": {"html-math-method": "mathml"}, "typst": {"citeproc": True}},
}

CHAPTERS = {
    "index": "# %% [markdown]\n# # Toys {#sec-toys}\n#\n# Two of them.\n",
    "results/alpha": """# %% [markdown]
# # Alpha {#sec-alpha}

# %%
from IPython.display import Markdown
from llmlab.book.show import value, verdict

# %%
Markdown(f"The loss is {value('alpha', 'loss', rate=0.1)}.")

# %%
verdict("H-ALPHA")
""",
    "results/beta": """# %% [markdown]
# # Beta {#sec-beta}

# %%
from IPython.display import Markdown
from llmlab.book.show import value

# %%
Markdown(f"The loss is {value('beta', 'loss', rate=0.1)}.")
""",
    "hypotheses/ledger": """# %% [markdown]
# # Ledger {#sec-ledger}

# %%
from llmlab.book.show import ledger

# %%
ledger()
""",
}

Edit = Callable[[str], str]


@dataclass(frozen=True)
class Book:
    """A small book of its own: two experiments, four chapters."""

    root: Path

    def start(self, *arguments: str) -> ForkServerProcess:
        """A build that goes on, as the leader of a group of processes."""
        return start_module("snakemake", arguments, self.root, self.root / "printed.txt")

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit code of a build, and what it printed."""
        return run_module("snakemake", arguments, self.root, self.root / "printed.txt", 300)

    def build(self, *arguments: str) -> str:
        """What a build printed that succeeded."""
        code, printed = self.run(*arguments)
        assert code == 0, printed
        return printed

    def scheduled(self, *arguments: str) -> set[str]:
        """The jobs that a build would run, by their messages."""
        printed = self.build("--dry-run", *arguments)
        return set(re.findall(r"^Job \d+: (.+)$", printed, re.MULTILINE))

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    @contextmanager
    def edited(self, path: str, edit: Edit) -> Iterator[None]:
        """Change one file; at the end it is again what it was, and as old."""
        target = self.root / path
        before, times = target.read_text(), target.stat()
        changed = edit(before)
        assert changed != before
        target.write_text(changed)
        try:
            yield
        finally:
            target.write_text(before)
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))

    def after(self, path: str, edit: Edit) -> set[str]:
        """What a build would make after `edit` of one file, which is undone again."""
        with self.edited(path, edit):
            return self.scheduled()


def write_book(root: Path) -> Book:
    """The book, with a copy of the package and of what builds it; nothing is built."""
    small = Book(root)
    unwanted = shutil.ignore_patterns("experiments")
    shutil.copytree(ROOT / "src" / "llmlab", small.root / "src" / "llmlab", ignore=unwanted)
    shutil.copytree(ROOT / "profiles", small.root / "profiles")
    shutil.copytree(ROOT / "envs", small.root / "envs")
    shutil.copy(ROOT / "Snakefile", small.root)
    small.write("src/llmlab/toys.py", TRAINER)
    small.write("src/llmlab/facts/best_rate.txt", "0.5")
    small.write("src/llmlab/experiments/__init__.py", "")
    for name, needs in (("alpha", []), ("beta", ["alpha"])):
        source = EXPERIMENT.format(name=name, upper=name.upper(), needs=needs)
        small.write(f"src/llmlab/experiments/{name}.py", source)
    for name, source in CHAPTERS.items():
        small.write(f"chapters/{name}.py", source)
    small.write("chapters/hypotheses/questions.toml", QUESTIONS)
    small.write("chapters/hypotheses/hypotheses.toml", HYPOTHESES)
    small.write("chapters/hypotheses/tracks.toml", TRACKS)
    small.write("chapters/references.bib", "@misc{a, title = {A}, author = {B}, year = {2000}}\n")
    small.write("_quarto.yml", yaml.safe_dump(CONFIG, sort_keys=False))
    return small
