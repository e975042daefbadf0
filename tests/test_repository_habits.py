"""No module has a habit that brings out faults on other machines, but where that has a reason."""

import ast
from functools import cache
from pathlib import Path

import pytest
from habits import HABITS

ROOT = Path(__file__).parent.parent
WALKED = ("benchmarks", "chapters", "envs", "src")

LEFT = "recorded results rest on this function, and json.dumps writes ASCII"
OURS = "our own file or program, which is in the package or answers in the same process"
ASIDE = "made aside, then renamed into place"
LOCKED = "made by whoever then holds its lock"

ALLOWED = {
    "text_without_encoding": {
        "src/llmlab/finetune/model/base_model.py": LEFT,
        "src/llmlab/gpt/saved/checkpoints.py": LEFT,
        "src/llmlab/gpt/text/token_dataset.py": LEFT,
    },
    "programs_in_the_users_environment": {
        "benchmarks/report.py": "a benchmark runs as its user runs it",
        "benchmarks/watch.py": "a benchmark runs as its user runs it",
        "envs/quarto.py": "pip needs the user's package index and proxy",
        "src/llmlab/method/running/campaign.py": "a run of our own, as its user would start it",
        "src/llmlab/cluster/show/stage.py": "a computer is kept awake by the user's session",
    },
    "pieces_encoded_apart": {},
    "foreign_files_read_raw": {
        "benchmarks/finetune.py": OURS,
        "benchmarks/report.py": OURS,
        "envs/quarto.py": OURS,
        "src/llmlab/book/press/border.py": "this is the border: errors become sentences",
        "src/llmlab/book/press/preview.py": OURS,
        "src/llmlab/cluster/physics/coefficients.py": OURS,
        "src/llmlab/cluster/physics/hardware.py": OURS,
        "src/llmlab/finetune/command/strict_json.py": "this is the border: errors become sentences",
        "src/llmlab/finetune/model/base_model.py": "read behind a digest that its caller compares",
        "src/llmlab/finetune/model/peft_format.py": "this is the border: errors become sentences",
        "src/llmlab/gpt/saved/checkpoints.py": "this is the border: errors become sentences",
        "src/llmlab/gpt/text/token_dataset.py": "a cache: what is wrong with it is made anew",
        "src/llmlab/market/models/search.py": OURS,
        "src/llmlab/method/documents.py": "this is the border: errors become sentences",
        "src/llmlab/runs/control.py": "a line that is no request is passed over",
        "src/llmlab/sleep/koans/python_harness.py": OURS,
        "src/llmlab/sleep/sandbox/guard.py": OURS,
        "src/llmlab/sleep/export.py": "a tokenizer in memory, written by its own library",
    },
    "folders_made": {
        "benchmarks/graph.py": "in a temporary folder",
        "src/llmlab/cluster/simulate_command.py": "a log that only one process can make",
        "src/llmlab/book/press/graph.py": "one file for each chapter, written by one job",
        "src/llmlab/book/press/preview.py": "inside what render.py makes aside",
        "src/llmlab/book/press/quarto.py": "the stage of a build, which Snakemake locks",
        "src/llmlab/book/press/render.py": ASIDE,
        "src/llmlab/market/models/search.py": "the journal of a search has a lock of its own",
        "src/llmlab/sleep/coder/coder.py": "inside the folder that its caller holds",
        "src/llmlab/sleep/repair/episodes.py": "a file of lines, each written whole",
        "src/llmlab/finetune/model/base_model.py": "inside the folder that its caller holds",
        "src/llmlab/finetune/model/gguf.py": LOCKED,
        "src/llmlab/gpt/saved/writing.py": ASIDE,
        "src/llmlab/method/locks.py": "the folder of locks itself",
        "src/llmlab/gpt/saved/checkpoints.py": ASIDE,
        "src/llmlab/gpt/formats/hugging_face.py": ASIDE,
        "src/llmlab/gpt/text/token_dataset.py": LOCKED,
        "src/llmlab/market/bars/download.py": "a file is written aside, then renamed",
        "src/llmlab/method/files.py": "a file is written aside, then renamed",
        "src/llmlab/method/running/attest.py": "in a temporary folder",
        "src/llmlab/method/running/lease.py": "the folder of locks itself",
        "src/llmlab/method/running/runner.py": LOCKED,
        "src/llmlab/sleep/koans/store.py": "of a database, which locks itself",
        "src/llmlab/sleep/study/library.py": "inside the folder that its caller holds",
        "src/llmlab/watch/access.py": "of a file written aside, then renamed",
    },
}
"""For each habit, modules that may have it, with the reason."""

PLANTED = {
    "text_without_encoding": [
        "open(path)",
        "open(path, 'w')",
        "path.open('a')",
        "path.read_text()",
        "path.write_text(text)",
        "subprocess.run(command, env=neutral, text=True)",
    ],
    "programs_in_the_users_environment": [
        "subprocess.run(['git', 'log'])",
        "subprocess.Popen(command, cwd=root)",
        "subprocess.check_output(command, **options)",
        "os.system('git log')",
    ],
    "pieces_encoded_apart": [
        "tokenizer.encode(prompt) + tokenizer.encode(answer)",
        "ids += tokenizer.encode(answer)",
        "ids.extend(tokenizer.encode(answer))",
        "[*tokenizer.encode(prompt), *tokenizer.encode(answer)]",
        "[index for piece in pieces for index in tokenizer.encode(piece)]",
        "list(chain.from_iterable(tokenizer.encode(piece) for piece in pieces))",
        "torch.cat([tokenizer.encode(prompt), tokenizer.encode(answer)])",
        "def parts(t):\n    yield t.encode('assistant: ')\n    yield t.encode(answer)",
    ],
    "foreign_files_read_raw": [
        "json.load(file)",
        "json.loads(path.read_bytes())",
        "tomllib.loads(text)",
        "yaml.safe_load(text)",
        "torch.load(path)",
        "pickle.load(file)",
    ],
    "folders_made": ["out.mkdir(parents=True, exist_ok=True)", "os.makedirs(out)"],
}

HARMLESS = {
    "text_without_encoding": [
        "open(path, 'rb')",
        "path.open('r+b' if have else 'wb')",
        "path.read_text(encoding='utf-8')",
        "files.read_text(path)",
        "read_text(path)",
        "os.open(path, flags)",
        "pikepdf.open(path)",
        "subprocess.run(command, env=neutral, text=True, encoding='utf-8')",
    ],
    "programs_in_the_users_environment": ["subprocess.run(command, env=neutral)", "app.run(x)"],
    "pieces_encoded_apart": [
        "text.encode() + rest.encode('utf-8')",
        "tokenizer.encode(prompt + answer)",
        "[tokenizer.encode(piece) for piece in pieces]",
        "[tokenizer.start, *tokenizer.encode(text)]",
    ],
    "foreign_files_read_raw": ["model.validate_json(text)", "safetensors.load(x)", "json.dumps(x)"],
    "folders_made": ["folder.held()", "write_file(path, text)"],
}


@cache
def trees() -> dict[str, ast.Module]:
    """The syntax tree of each module that is walked, by its path in the repository."""
    files = sorted(path for room in WALKED for path in (ROOT / room).rglob("*.py"))
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in files
    }


@pytest.mark.parametrize("habit", HABITS)
def test_no_module_has_the_habit_without_a_reason(habit: str) -> None:
    found = {path: list(HABITS[habit](tree)) for path, tree in trees().items()}
    places = {path: lines for path, lines in found.items() if lines}
    assert {path: lines for path, lines in places.items() if path not in ALLOWED[habit]} == {}
    assert sorted(ALLOWED[habit].keys() - places) == [], "these need no permission any more"


@pytest.mark.parametrize(
    ("habit", "source"), [(habit, source) for habit in PLANTED for source in PLANTED[habit]]
)
def test_a_planted_example_is_found(habit: str, source: str) -> None:
    assert list(HABITS[habit](ast.parse(source)))


@pytest.mark.parametrize(
    ("habit", "source"), [(habit, source) for habit in HARMLESS for source in HARMLESS[habit]]
)
def test_what_only_looks_alike_is_not(habit: str, source: str) -> None:
    assert list(HABITS[habit](ast.parse(source))) == []


def test_the_walk_reaches_every_room() -> None:
    assert len(trees()) > 200
    assert {path.split("/")[0] for path in trees()} == set(WALKED)
