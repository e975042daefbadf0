# The LLM Lab Book. Needs Python 3.11 or newer, GNU make, git and a package index.

.PHONY: book test fuzz hostile results serve release clean lock quarto
SCALE ?= laptop

book: .venv/installed .venv/quarto  ## smoke runs, chapters, HTML and PDF into site/dev/
	@$(BIN)/snakemake
	@cat build/reproduction/smoke.txt build/logs/book.log

test: .venv/installed  ## style, walls between the rooms, tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/snakefmt --check Snakefile
	$(BIN)/lint-imports --no-logo
	OMP_NUM_THREADS=1 $(BIN)/pytest -n logical --dist loadfile

hostile: .venv/installed  ## all hundred hostile programs against the sandbox
	LLMLAB_ALL_HOSTILE=1 $(BIN)/pytest tests/sleep/sandbox

fuzz: .venv/installed  ## 10,000 damaged inputs for every loader, where the tests try 300
	LLMLAB_FUZZ=10000 $(BIN)/pytest -k fuzz

results: .venv/installed  ## every experiment at SCALE=smoke|laptop|gpu
	$(BIN)/snakemake results --config scale=$(SCALE)

serve: book  ## the book on a local web server
	$(BIN)/llmlab book serve

release: book  ## the book for good, as VERSION=1.0, into site/1.0/ with an archive of its evidence
	@$(BIN)/llmlab book release $(or $(VERSION),$(error name the version: make release VERSION=1.0))

clean:  ## all that was built; recorded results stay
	rm -rf build site .snakemake

lock:  ## newest releases that pyproject.toml admits, pinned into envs/constraints.txt
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	build/lock/bin/python envs/lock.py > build/constraints.txt
	mv build/constraints.txt envs/constraints.txt

quarto: .venv/installed  ## try once more to install Quarto
	@$(BIN)/python envs/quarto.py && touch .venv/quarto


# How the environment is made

BIN := .venv/bin
EXTRAS := book,pipeline,slurm,market,watch,release,dev

# a name on the path may be a shim of a version that is not there: ask each what it is
FOUND = $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PYTHON ?= $(or $(FOUND),$(error The book needs Python 3.11 or newer, and the path holds none: \
	install one, or name it with "make PYTHON=/path/to/python"))

# without the stamp the folder is missing or half made by an install that was stopped: start anew;
# pip compiles what it copies, but nothing of an editable package, which hundreds of processes read
.venv/installed: envs/constraints.txt pyproject.toml
	@test -e $@ || $(PYTHON) -m venv --clear .venv
	@rm -f $@
	@echo "Installing the pinned packages into .venv; the first time takes some minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint envs/constraints.txt --editable '.[$(EXTRAS)]'
	@$(BIN)/python -m compileall -q src
	@touch $@

.venv/quarto: | .venv/installed
	@$(BIN)/python envs/quarto.py && touch $@
