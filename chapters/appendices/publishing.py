# %% [markdown]
# # Publish it, run it on a cluster, watch it {#sec-publishing}
#
# A book with many readers needs versions, previews of changes, experiments on more than one machine, and a live view of
# long runs. Each of these is one command.
#
# ## Watch a run
#
# ```bash
# llmlab train --config micro --corpus stdlib --steps 3000 &
# llmlab watch
# ```
#
# The second command prints a link. It opens a page with every run in `runs/` and `build/results/`, the latest first:
# runs of `train` and `finetune`, and experiments, which add a line for each of their runs. A search of `llmlab market`
# shows each trial as a point, the best so far, and the validation losses of each trial by epoch. `llmlab train` also logs
# a text of its model at each validation. Finished runs look like live ones, and several can be overlaid. `llmlab book
# serve` starts the same server at the rendered book; the two link to each other.
#
# ![Two runs overlaid. On the left, all runs and what was started from this page; below the chart, the inside of the model
# of the run chosen last.](../images/watch.png){#fig-watch fig-alt="A browser page: a list of two runs on the left, tiles with step, loss and time left, a chart of two falling losses, and below it the attention of a model's heads."}
#
# *Start a run* takes `train`, `finetune`, `run` and `simulate`, with options as you would type them. The page shows the
# command word by word, as the system will get it; only then can it be started. No shell reads it. Other verbs are
# refused, and so are paths outside the folder of the server. What was started continues when the server ends.
#
# The buttons send requests: each adds a line to `control.jsonl` in the run's folder. The trainer reads it between two
# steps, does what it says, and answers in `log.jsonl`. The page says *asked*, then *done after step …*, or after ten
# seconds that there is no answer. A change of rate sets a new peak; the schedule continues from where it is. When several
# processes train together, the first reads requests and all follow after the same step. The run's record, in its
# checkpoints or its report, says what was steered. Experiments take no requests, so a steered run is never evidence.
#
# *Look inside* runs `llmlab inspect` on the checkpoints that a run has kept, even while it runs: what its heads attend
# to, what each layer would predict, its activations, and the checkpoints side by side. These are the explorers of this
# book, in a frame that can ask nothing of the server.
#
# Pages like this one show the chart as a still image, drawn from the same log by `run_chart`. @fig-watch-still shows a
# small model that was trained while this page was made, on the text below, read a few times over.

# %%
# | label: fig-watch-still
# | fig-cap: "The losses of a run from its log: thin at each step, thick smoothed, dashed on held-out text. The dotted line marks a requested change of rate."
# | fig-alt: "A falling loss over two hundred steps, raw and smoothed, with a few points on unseen text and one dotted line."
# | code-fold: true
import tempfile
from pathlib import Path

from llmlab.book.run_chart import run_chart
from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.distributed import Workers
from llmlab.gpt.model import GPTConfig
from llmlab.gpt.pretraining import PretrainingRecipe
from llmlab.gpt.text.encoded_corpus import byte_pairs, named_corpus, prepare
from llmlab.gpt.training import TrainConfig
from llmlab.runs.control import Request, ask

with tempfile.TemporaryDirectory() as folder:
    text, run = Path(folder, "text.txt"), Path(folder, "run")
    sentence = "the trainer reads it between two steps, does what it says, and answers. "
    text.write_text(sentence * 60, encoding="utf-8")
    encoded = prepare(named_corpus(str(text)), byte_pairs(300))
    recipe = PretrainingRecipe(
        shape=GPTConfig(encoded.tokenizer.vocab_size, 16, 32, 1, 2),
        train=TrainConfig(3e-3, steps=200),
        batch_size=8,
        seed=0,
        validate_every=40,
        validation_tokens=256,
    )
    for event in PretrainingSession(run, recipe, encoded).events(Workers.alone(), resume=False):
        if getattr(event, "step", None) == 99 and not (run / "control.jsonl").exists():
            ask(run, Request(id="0" * 16, action="rate", rate=1e-2))
    still = run_chart(run)
still

# %% [markdown]
# The server listens on this machine alone and lets in anyone who has the link: its token becomes a cookie and disappears
# from the address. With `--read-only` it starts nothing and takes no requests. To watch a run on another machine, use a
# tunnel:
#
# ```bash
# ssh -L 8010:127.0.0.1:8010 the-machine llmlab watch
# ```
#
# Other programs can do the same: `/api/runs`, `/api/rows?run=NAME&from=BYTE`, the WebSocket `/ws?run=NAME&from=BYTE`,
# `/api/control`, `/api/command`, `/api/start` and `/api/inspect`. A client needs to remember only the byte: after a lost
# connection it asks from there on. `/openapi.json` describes them.
#
# ## Publish a version
#
# ```bash
# make release VERSION=1.0
# git tag -a v1.0 -m "Version 1.0" && git push --tags
# ```
#
# The first renders the committed book into `site/1.0/`, beside `site/dev/`. A version stays as it was published: it is
# never rendered again. The menu on each page leads to the same page of another version, or to its front page if it lacks
# that page. A version may take 25 MB, its PDF 6 MB, the files of its commit 50 MB. Its folder holds `evidence.zip`, all
# recorded tables; `CITATION.cff` and `.zenodo.json`, to cite and archive it; and `ro-crate-metadata.json`, which describes
# each table with its commit and checksum.
#
# @sec-changes compares each version with the one before, from git's tags alone: each is judged by its own code, from the
# tables at its commit. Pages of results whose evidence has changed say so below their title.
# `llmlab book changes --since v1.0` prints the same.
#
# ## Preview a change
#
# `.github/workflows/` and `.gitlab-ci.yml` run `.ci/run`, which does what `make test`, `make` and `llmlab book check` do.
# On GitHub the book of a change appears as `pr-7/` beside the versions, with a comment on what it does to verdicts and
# tables; both disappear when the change is closed. The code of a change runs without write access, and changes from forks
# get the book as a download. On GitLab the merge request links to the book among the job's artifacts, with the same
# comment if the project has a token for it. Published versions are kept in the package registry, from which each build
# takes them.
#
# `llmlab book check` requires that links and references lead somewhere, that pages load nothing from outside, valid HTML,
# and at most 500 KB a page as a server sends it, compressed, fonts included, without the data of explorers. With
# `--accessibility` it also requires WCAG 2.1 AA as far as axe can tell, on a wide light and a narrow dark screen; that
# takes some seconds a page, in Chromium.
#
# ## Run experiments on a cluster
#
# ```bash
# pip install snakemake-executor-plugin-slurm
# snakemake --profile profiles/slurm results --config scale=gpu shards=5
# ```
#
# Each experiment becomes a job that asks for three times the minutes of its recorded runs, for more at each retry, and for
# a GPU at gpu scale.
# With `shards=5`, five jobs share its seeds, and one more puts their runs into one table with one manifest. A stopped job
# resumes after the last run that it finished. `profiles/slurm/config.yaml` sets partition and account. The output of
# a job is in `build/logs/`, as without a cluster; Slurm's own log is in `build/logs/slurm/`, kept if the job failed.
#
# `tests/test_slurm.py` starts a Slurm of one node if the packages `slurm-wlm` and `munge` are installed: seeds become
# jobs and one table, a job that fails is tried again with more time, and a job that loses its node to a more urgent one
# resumes at its last run.
#
# ## Keep results in a bucket
#
# ```bash
# pip install snakemake-storage-plugin-s3
# snakemake --profile profiles/s3 results --config scale=laptop
# ```
#
# Results of the present code that are in the bucket are fetched; all others are computed here and uploaded, so the next
# clone has nothing to run. The bucket holds one pack for each experiment and scale: its tables, its manifest and the
# weights that it keeps for others. Modification times mean nothing between clones, so a pack is named by the digest of the
# code and budget that it depends on: nothing stale is ever fetched. In the pack, weights are named by their SHA-256, and
# equal ones are in it once. Each table and each file of weights is compared with its SHA-256 before any is unpacked; if
# one differs, nothing is unpacked: remove the pack from the bucket, and the same command makes it anew.
# `profiles/s3/config.yaml` names the bucket;
# `SNAKEMAKE_STORAGE_S3_ENDPOINT_URL` names a server other than Amazon's. A folder that several machines share works, too,
# with `rsync` and `snakemake-storage-plugin-fs`:
# `--default-storage-provider fs --default-storage-prefix /the/folder`.
#
# `profiles/kubernetes` and `profiles/aws-batch` need such a bucket, because their machines share no files: each pod or job
# computes an experiment, or with `shards=5` a fifth of its seeds, in the container of `envs/Containerfile`, and returns
# its pack through the bucket. A stopped job starts again, so smaller shares lose less. Their jobs have been planned with
# these plugins, but not yet run on a cluster of either kind.
#
# Two machines can do the same by hand:
#
# ```bash
# llmlab pack lora_rank --scale laptop --out lora_rank.tar.gz
# llmlab unpack lora_rank.tar.gz
# ```
#
# `llmlab campaign` leaves the weights of its whole pack in the folder `kept` beside it, one file for each content: what
# another campaign has left there is not written again, and `rsync` or `aws s3 sync` sends only what is new. Weights that
# were changed are refused, here and by each command that reads them: `--base micro`, for instance, names the file and
# the command that makes it again.
#
# Without a scheduler or a bucket, each machine runs some seeds into a folder, and one of them merges the folders.
#
# ```bash
# llmlab run lora_rank --scale gpu --seeds 0-4 --out shards/a
# llmlab run lora_rank --scale gpu --seeds 5-9 --out shards/b
# llmlab run lora_rank --scale gpu --merge shards/a --merge shards/b
# ```
