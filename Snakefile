# `snakemake` builds the book; `snakemake results --config scale=laptop` computes evidence.
# Digests of code are among the inputs: changing a comment reruns nothing, changing a constant
# reruns what depends on it.

import os
import sys
from pathlib import Path

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))

from llmlab.book.press.graph import Graph
from llmlab.method.errors import LabError
from llmlab.method.project import Project


envvars:
    "PATH",


# `python` is the interpreter that runs this file, unless --sdm conda puts its own before it
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
shell.prefix("set -euo pipefail; export PYTHONPATH=src; ")

try:
    graph = Graph(Project(ROOT))
    SMOKE = graph.manifests("smoke")
    RESULTS = graph.manifests(config.get("scale", "smoke"))
except LabError as mistake:
    sys.exit(f"error: {mistake}")

# --config shards=N splits the seeds of each experiment into N jobs that a cluster runs in parallel
SHARDS = int(config.get("shards", 1))

REPRODUCTION = "build/reproduction/smoke.txt"
BOOK = ["site/dev/index.html", f"site/dev/{graph.contents.pdf}"]


rule all:
    input:
        SMOKE,
        REPRODUCTION,
        BOOK,


rule results:
    input:
        RESULTS,


rule shard:
    input:
        lambda wildcards: graph.experiment_inputs(wildcards.experiment, wildcards.scale),
    output:
        update(directory("build/shards/{scale}/{experiment}/{seeds}")),
    log:
        "build/logs/{scale}/{experiment}-{seeds}.log",
    conda:
        "envs/experiment.yaml"
    threads: lambda wildcards: graph.threads(wildcards.scale, workflow.cores)
    resources:
        runtime=lambda wildcards, attempt: attempt
        * graph.minutes(wildcards.experiment, wildcards.scale),
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        workers=lambda wildcards: graph.workers(wildcards.scale),
    message:
        "{wildcards.experiment} at {wildcards.scale} scale, seeds {wildcards.seeds}"
    shell:
        "python -m llmlab run {wildcards.experiment} --scale {wildcards.scale}"
        " --seeds {wildcards.seeds} --out {output} {params.workers} 2>&1 | tee {log}"


rule experiment:
    input:
        lambda wildcards: graph.experiment_inputs(wildcards.experiment, wildcards.scale),
        shards=lambda wildcards: graph.shards(wildcards.experiment, wildcards.scale, SHARDS),
    output:
        update("build/results/{scale}/{experiment}/manifest.json"),
        update("build/results/{scale}/{experiment}/runs.csv"),
        update("build/results/{scale}/{experiment}/curves.parquet"),
    log:
        "build/logs/{scale}/{experiment}.log",
    conda:
        "envs/experiment.yaml"
    threads: lambda wildcards: graph.threads(wildcards.scale, workflow.cores)
    resources:
        runtime=lambda wildcards, attempt: attempt
        * graph.minutes(wildcards.experiment, wildcards.scale),
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        workers=lambda wildcards: graph.workers(wildcards.scale),
        shards=lambda wildcards, input: [f"--merge {shard}" for shard in input.shards],
    message:
        "{wildcards.experiment} at {wildcards.scale} scale"
    shell:
        "python -m llmlab run {wildcards.experiment} --scale {wildcards.scale} {params.workers}"
        " {params.shards} 2>&1 | tee {log}"


rule reproduction:
    input:
        graph.reproduction_inputs(),
    output:
        update(REPRODUCTION),
    log:
        "build/logs/reproduction.log",
    conda:
        "envs/experiment.yaml"
    message:
        "fresh and recorded results"
    shell:
        "python -m llmlab reproduce 2>&1 >{output} | tee {log}"


rule chapter:
    input:
        lambda wildcards: graph.chapter_inputs(wildcards.chapter),
    output:
        update("build/chapters/{chapter}.ipynb"),
    log:
        "build/logs/chapters/{chapter}.log",
    conda:
        "envs/book.yaml"
    message:
        "chapter {wildcards.chapter}"
    shell:
        "python -m llmlab book execute {wildcards.chapter} 2>&1 | tee {log}"


rule book:
    input:
        graph.book_inputs(),
    output:
        update(BOOK),
    log:
        "build/logs/book.log",
    conda:
        "envs/book.yaml"
    message:
        "HTML and PDF"
    shell:
        "python -m llmlab book render 2>&1 | tee {log}"
