# %% [markdown]
# # Publish it, run it on a cluster, watch it {#sec-publishing}
#
# A book that many people read has versions, a change to it can be looked at before it is made, experiments outgrow one
# machine, and a run of hours wants to be watched. Each of these is one command.
#
# ## Watch a run
#
# ```bash
# llmlab train --config micro --corpus stdlib --steps 3000 &
# llmlab watch
# ```
#
# The second command prints a link. It opens a page with every run in `runs/` and `build/results/`, the latest first:
# runs of `train` and `finetune`, and experiments, which add a line for each of their runs. A run that has ended is shown
# like one that goes on, and several can be laid over one another.
#
# ![Two runs laid over one another while they train. The first is busy with a validation and has not answered the
# request for another rate yet.](../images/watch.png){#fig-watch fig-alt="A browser page: a list of two runs on the left, tiles with step, loss and time left, buttons to pause, save and stop, and a chart of two falling losses."}
#
# The buttons ask: they add a line to `control.jsonl` in the run's folder. The trainer reads it between two steps, does
# what it says, and answers in `log.jsonl`; the page says *asked*, then *done after step …*, or after ten seconds that
# nobody answered. A change of rate takes a new peak; the schedule goes on where it is. Whatever was steered stands in the
# run's record, in its checkpoints or its report. Experiments take no requests, so a steered run is never evidence. Nor
# do runs of several processes, which would have to agree on the step.
#
# The server listens on this machine alone and lets in whoever has the link: the token in it becomes a cookie, and
# leaves the address. `--read-only` shows and takes no request. A run on another machine is watched through a tunnel:
#
# ```bash
# ssh -L 8010:127.0.0.1:8010 the-machine llmlab watch
# ```
#
# Other programs can read the same: `/api/runs`, `/api/rows?run=NAME&from=BYTE`, the WebSocket `/ws?run=NAME&from=BYTE`,
# and `POST /api/control`. The byte is all that there is to remember: who lost the connection asks from there on.
# `/openapi.json` describes them.
#
# ## Publish a version
#
# ```bash
# make release VERSION=1.0
# git tag -a v1.0 -m "Version 1.0" && git push --tags
# ```
#
# The first renders what is committed into `site/1.0/`, beside `site/dev/`. A version stays as it was published: it is
# never rendered again. The menu on each page leads to the same page of another version, and to its front page where it
# has none. A version may take 25 MB, the files of its commit 50. In its folder lie `evidence.zip`, all recorded tables;
# `CITATION.cff` and `.zenodo.json`, for whoever cites or archives it; and `ro-crate-metadata.json`, which describes
# each table with its commit and checksum.
#
# @sec-changes compares each version with the one before, from git's tags alone: both are judged by their own code,
# from the tables at their commits. Pages of results whose evidence has changed say so below their title.
# `llmlab book changes --since v1.0` prints the same.
#
# ## Look at a change before it is made
#
# `.github/workflows/` and `.gitlab-ci.yml` run `.ci/run`, which is what `make test`, `make` and `llmlab book check` do.
# On GitHub the book of a change appears as `pr-7/` beside the versions, with a comment on what it does to verdicts and
# tables; both go when the change is closed. Code of a change runs without a right to write, and changes from forks get
# the book to download.
#
# `llmlab book check` asks that links and references lead somewhere and that nothing is asked from outside. `llmlab book
# gates` asks for valid HTML, at most 500 KB a page as a server sends it, packed and without the data of explorers, and
# WCAG 2.1 AA as far as axe can tell, on a wide light and a narrow dark screen.
#
# ## Run experiments on a cluster
#
# ```bash
# pip install snakemake-executor-plugin-slurm
# snakemake --profile profiles/slurm results --config scale=gpu shards=5
# ```
#
# Each experiment becomes a job that asks for three times the minutes of its recorded runs, and for more at each retry.
# With `shards=5` its seeds are shared by five jobs, and one more puts their runs into one table with one manifest. A job
# that was stopped goes on at the last run that it finished. Partition, account and GPUs stand in
# `profiles/slurm/config.yaml`; `profiles/kubernetes` and `profiles/aws-batch` need a bucket, too.
#
# Without a scheduler, the same goes by hand: each machine runs some seeds into a folder, and one puts them together.
#
# ```bash
# llmlab run lora_rank --scale gpu --seeds 0-4 --out shards/a
# llmlab run lora_rank --scale gpu --seeds 5-9 --out shards/b
# llmlab run lora_rank --scale gpu --merge shards/a --merge shards/b
# ```
