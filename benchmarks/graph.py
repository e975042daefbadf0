"""Time the graph of a thousand experiments: Snakemake's parse and dry run of the whole book.

A copy of the package gets a thousand synthetic experiments on one base model, each with a chapter;
the goal is a dry run under 15 s.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import yaml
from report import save, timed

ROOT = Path(__file__).parent.parent
COUNT = 1000
TURNS = ("first", "again")

EXPERIMENT = '''"""Synthetic experiment {number}."""

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Metric, Outcome, Trial


def run(trial: Trial) -> Outcome:
    from llmlab.gpt.training import TrainConfig

    return Outcome({{"loss": TrainConfig(learning_rate={number}, steps=1).learning_rate}})


EXPERIMENT = Experiment(
    name="{name}",
    title="Synthetic {number}",
    question="Q-GRAPH",
    summary="Synthetic.",
    axes=[Axis("rate", "Learning rate.")],
    metrics=[Metric("loss", "Loss.", "nats", "lower")],
    budgets={{
        scale: Budget({{"rate": [0.1, 0.2]}}, seeds=seeds)
        for scale, seeds in (("smoke", 1), ("laptop", 5), ("gpu", 10))
    }},
    run=run,
    needs={needs},
)
'''

CHAPTER = """# %% [markdown]
# # {name}

# %%
from llmlab.book.show import table

# %%
table("{name}", "loss", by="rate")
"""

QUESTION = '[[question]]\nid = "Q-GRAPH"\ntext = "How long does the graph take?"\ntrack = "graph"\n'
TRACK = """[[track]]
id = "graph"
title = "Graph"
goal = "Measure."
[[track.phase]]
id = "graph-1"
title = "Measure"
goal = "Measure."
[[track.phase.feature]]
title = "Graph"
questions = ["Q-GRAPH"]
"""


def write_project(root: Path) -> None:
    """A book of `COUNT` experiments and as many chapters."""
    for folder in ("profiles", "envs"):
        shutil.copytree(ROOT / folder, root / folder)
    shutil.copy(ROOT / "Snakefile", root)
    unwanted = shutil.ignore_patterns("__pycache__", "experiments")
    shutil.copytree(ROOT / "src" / "llmlab", root / "src" / "llmlab", ignore=unwanted)
    names = [f"synthetic_{number:04}" for number in range(COUNT)]
    files = {"src/llmlab/experiments/__init__.py": "", "chapters/index.py": "# %% [markdown]\n"}
    for number, name in enumerate(names):
        needs = names[:1] if number else []
        source = EXPERIMENT.format(number=number, name=name, needs=needs)
        files[f"src/llmlab/experiments/{name}.py"] = source
        files[f"chapters/results/{name}.py"] = CHAPTER.format(name=name)
    ledger = {"questions": QUESTION, "hypotheses": "", "tracks": TRACK}
    files |= {f"chapters/hypotheses/{name}.toml": text for name, text in ledger.items()}
    listed = ["index.ipynb", *(f"results/{name}.ipynb" for name in names)]
    book = {"title": "Graph", "author": "Nobody", "chapters": listed}
    files["_quarto.yml"] = yaml.safe_dump({"book": book})
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def dry_run(root: Path) -> dict[str, float]:
    """Time of `snakemake --dry-run`, which schedules every job."""
    return timed([sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all"], root)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder))
        save("graph", {f"{COUNT} experiments, {turn}": dry_run(Path(folder)) for turn in TURNS})
