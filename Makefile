# The LLM Lab Book. Needs Python 3.11 or newer, GNU make, git and a package index.

.PHONY: book test fuzz results serve release clean lock quarto
SCALE ?= laptop

book: .venv/installed .venv/quarto  ## smoke runs, chapters, HTML and PDF in site/dev/
	@$(BIN)/snakemake
	@cat build/reproduction/smoke.txt build/logs/book.log

test: .venv/installed  ## style, import contracts, tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/snakefmt --check Snakefile
	$(BIN)/lint-imports --no-logo
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

fuzz: .venv/installed  ## 10,000 damaged inputs for every loader (the tests use 300)
	@mkdir -p build
	LLMLAB_FUZZ=10000 $(BIN)/pytest -k fuzz --basetemp=build/fuzz; failed=$$?; \
		rm -rf build/fuzz; exit $$failed

results: .venv/installed  ## every experiment at SCALE=smoke|laptop|gpu
	$(BIN)/snakemake results --config scale=$(SCALE)

serve: book  ## serve the book locally
	$(BIN)/llmlab book serve

release: book  ## publish VERSION=1.0 into site/1.0/, with an archive of its evidence
	@$(BIN)/llmlab book release $(or $(VERSION),$(error name the version: make release VERSION=1.0))

clean:  ## remove all build products; recorded results stay
	rm -rf build site .snakemake

lock:  ## pin the newest releases that pyproject.toml allows in envs/constraints.txt
	$(PYTHON) -m venv --clear --upgrade-deps build/lock
	build/lock/bin/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	build/lock/bin/python envs/lock.py > build/constraints.txt
	mv build/constraints.txt envs/constraints.txt

quarto: .venv/installed  ## try again to install Quarto
	@$(BIN)/python envs/quarto.py && touch .venv/quarto


# Setting up the environment

BIN := .venv/bin
# most packages are compiled when they are first imported; kept from writing what they compiled,
# hundreds of processes would each do it anew
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint envs/constraints.txt
EXTRAS := book,pipeline,slurm,market,watch,release,dev

# a name on the path may be a shim for a missing version, so ask each for its version
FOUND = $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PYTHON ?= $(or $(FOUND),$(error The book needs Python 3.11 or newer, but the path has none: \
	install one, or name it with "make PYTHON=/path/to/python"))

# without the stamp, the folder is missing or incomplete after an interrupted install: start over;
# the pip that comes with Python may be years old and four times as slow; our sources and the
# largest packages are compiled here, since the processes that import them all start at once
.venv/installed: envs/constraints.txt pyproject.toml
	@test -e $@ || $(PYTHON) -m venv --clear .venv
	@rm -f $@
	@echo "Installing the pinned packages into .venv; this takes a few minutes the first time."
	@$(INSTALL) --upgrade pip
	@$(INSTALL) --no-compile --editable '.[$(EXTRAS)]'
	@$(BIN)/python -m compileall -q src
	@$(BIN)/python -c 'import peft, transformers, torch' & \
		$(BIN)/python -c 'import pandera.pandas, scipy.stats, sklearn.ensemble, statsmodels.api' \
		&& wait $$!
	@touch $@

.venv/quarto: | .venv/installed
	@$(BIN)/python envs/quarto.py && touch $@
