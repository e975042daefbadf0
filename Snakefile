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

# `python` is the interpreter that runs this file, unless --sdm conda puts its own before it
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))
shell.prefix("set -euo pipefail; export PYTHONPATH=src; ")

try:
    graph = Graph(Project(ROOT))
    SMOKE = graph.manifests("smoke")
    RESULTS = graph.manifests(config.get("scale", "smoke"))
except LabError as mistake:
    sys.exit(f"error: {mistake}")

# --config shards=N splits the seeds of each experiment into N jobs that a cluster runs in parallel
SHARDS = int(config.get("shards", 1))

# A profile with a storage (profiles/s3) keeps results in it, as packs named by the digest of what
# they depend on: times mean nothing between clones. All else is local.
STORED = workflow.storage_settings.default_storage_provider is not None


def cores(wildcards):
    return graph.threads(wildcards.scale, workflow.cores)


# each try asks for more time and memory
def minutes(wildcards, attempt):
    return attempt * graph.minutes(wildcards.experiment, wildcards.scale)


def megabytes(wildcards, attempt):
    return 4000 * attempt


def unpacking(packs):
    """The command that unpacks these packs, before another."""
    return f"python -m llmlab unpack {packs} &&" if packs else ""


REPRODUCTION = "build/reproduction/smoke.txt"
BOOK = ["site/dev/index.html", f"site/dev/{graph.contents.pdf}"]


rule all:
    input:
        local(SMOKE),
        local(REPRODUCTION),
        local(BOOK),


rule results:
    input:
        local(RESULTS),


rule pack:
    input:
        lambda wildcards: ancient(
            graph.pack_inputs(wildcards.experiment, wildcards.scale, wildcards.seeds, SHARDS)
        ),
    output:
        "build/packs/{scale}/{experiment}/{digest}/{seeds}.tar.gz",
    log:
        "build/logs/{scale}/{experiment}-{digest}-{seeds}.log",
    conda:
        "envs/experiment.yaml"
    threads: cores
    resources:
        runtime=minutes,
        mem_mb=megabytes,
    params:
        workers=lambda wildcards: graph.workers(wildcards.scale),
        seeds=lambda wildcards: "" if wildcards.seeds == "all" else f"--seeds {wildcards.seeds}",
        unpack=lambda wildcards, input: unpacking(input),
    message:
        "{wildcards.experiment} at {wildcards.scale} scale, seeds {wildcards.seeds}, packed"
    shell:
        "({params.unpack} python -m llmlab run {wildcards.experiment} --scale {wildcards.scale}"
        " {params.seeds} {params.workers} && python -m llmlab pack {wildcards.experiment}"
        " --scale {wildcards.scale} --out {output}) 2>&1 | tee {log}"


rule shard:
    input:
        lambda wildcards: local(graph.experiment_inputs(wildcards.experiment, wildcards.scale)),
    output:
        update(directory(local("build/shards/{scale}/{experiment}/{seeds}"))),
    log:
        local("build/logs/{scale}/{experiment}-{seeds}.log"),
    conda:
        "envs/experiment.yaml"
    threads: cores
    resources:
        runtime=minutes,
        mem_mb=megabytes,
    params:
        workers=lambda wildcards: graph.workers(wildcards.scale),
    message:
        "{wildcards.experiment} at {wildcards.scale} scale, seeds {wildcards.seeds}"
    shell:
        "python -m llmlab run {wildcards.experiment} --scale {wildcards.scale}"
        " --seeds {wildcards.seeds} --out {output} {params.workers} 2>&1 | tee {log}"


rule experiment:
    input:
        lambda wildcards: local(graph.experiment_inputs(wildcards.experiment, wildcards.scale)),
        shards=lambda wildcards: local(
            graph.shards(wildcards.experiment, wildcards.scale, 1 if STORED else SHARDS)
        ),
        packed=lambda wildcards: (
            graph.pack(wildcards.experiment, wildcards.scale) if STORED else []
        ),
    output:
        update(local("build/results/{scale}/{experiment}/manifest.json")),
        update(local("build/results/{scale}/{experiment}/runs.csv")),
        update(local("build/results/{scale}/{experiment}/curves.parquet")),
    log:
        local("build/logs/{scale}/{experiment}.log"),
    conda:
        "envs/experiment.yaml"
    threads: cores
    resources:
        runtime=minutes,
        mem_mb=megabytes,
    params:
        workers=lambda wildcards: graph.workers(wildcards.scale),
        shards=lambda wildcards, input: [f"--merge {shard}" for shard in input.shards],
        unpack=lambda wildcards, input: unpacking(input.packed),
    message:
        "{wildcards.experiment} at {wildcards.scale} scale"
    shell:
        "({params.unpack} python -m llmlab run {wildcards.experiment} --scale {wildcards.scale}"
        " {params.workers} {params.shards}) 2>&1 | tee {log}"


rule reproduction:
    input:
        local(graph.reproduction_inputs()),
    output:
        update(local(REPRODUCTION)),
    log:
        local("build/logs/reproduction.log"),
    conda:
        "envs/experiment.yaml"
    message:
        "fresh and recorded results"
    shell:
        "python -m llmlab reproduce 2>&1 >{output} | tee {log}"


rule chapter:
    input:
        lambda wildcards: local(graph.chapter_inputs(wildcards.chapter)),
    output:
        update(local("build/chapters/{chapter}.ipynb")),
    log:
        local("build/logs/chapters/{chapter}.log"),
    conda:
        "envs/book.yaml"
    message:
        "chapter {wildcards.chapter}"
    shell:
        "python -m llmlab book execute {wildcards.chapter} 2>&1 | tee {log}"


rule book:
    input:
        local(graph.book_inputs()),
    output:
        update(local(BOOK)),
    log:
        local("build/logs/book.log"),
    conda:
        "envs/book.yaml"
    message:
        "HTML and PDF"
    shell:
        "python -m llmlab book render 2>&1 | tee {log}"


# Snakemake's limit of jobs a second sets a timer at each look at the ready jobs, and each timer
# causes another look: they add up until looking takes a whole core
onstart:
    workflow.scheduler.job_rate_limiter = None


# Snakemake restores what a failed job had made before, and makes it look new; it takes 0 for no time
onerror:
    for job in workflow.scheduler.failed:
        for path in filter(os.path.exists, job.output):
            os.utime(path, (1, 1))
