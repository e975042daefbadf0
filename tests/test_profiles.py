"""Snakemake's profiles of clusters, read by the plugins that they are for."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RULES = """
rule all:
    input: "a.txt"

rule shard:
    output: "b.txt"
    resources: runtime=lambda wildcards, attempt: 10 * attempt
    shell: "touch {output}"

rule experiment:
    input: "b.txt"
    output: "a.txt"
    shell: "touch {output}"
"""


@pytest.mark.parametrize("name", ["slurm", "kubernetes", "aws-batch"])
def test_its_plugin_takes_the_profile(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(f"snakemake_executor_plugin_{name.replace('-', '_')}") is None:
        pytest.skip(f"snakemake-executor-plugin-{name} is not installed")
    (tmp_path / "Snakefile").write_text(RULES)
    profile = ROOT / "profiles" / name
    command = [sys.executable, "-m", "snakemake", "--profile", profile, "--dry-run"]
    environment = {name: value for name, value in os.environ.items() if "SNAKEMAKE" not in name}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert "total" in said
    assert "runtime=10" in said
