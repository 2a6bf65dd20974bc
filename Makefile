# The README's two commands are `make book` and `make test`; each works on a fresh clone.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
HTML := _build/html
CONSTRAINTS ?= constraints.txt
SECONDS ?= 120

# What JAX compiles is kept for the next run, and shared by all that runs at once.
export JAX_COMPILATION_CACHE_DIR := $(CURDIR)/_build/jax-cache
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS := 0
export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES := -1

# Processes side by side: the threads of one's linear algebra would spin while the other computes.
book test mutations: export OPENBLAS_NUM_THREADS := 1

.PHONY: book test check fuzz bench serve fmt wheel standalone mutations sphinx clean

book: $(VENV)/installed
	$(RUN) -m catalog check
	$(RUN) -m catalog execute
	$(VENV)/bin/jupyter-book build . -W -n --keep-going

test: book
	$(RUN) -m pytest -n 2 --dist loadgroup tests
	$(RUN) -m pytest -n 2 --dist loadscope --nbval-lax notebooks

check: $(VENV)/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m catalog check

fuzz: $(VENV)/installed # hostile texts for the catalogue: make fuzz SECONDS=3600 SEED=1
	$(RUN) tests/catalog/fuzz.py $(SECONDS) $(SEED)

bench: $(VENV)/installed # every kernel against its peers and the machine: twenty minutes, on a quiet one
	$(RUN) -m benchmarks

serve: book
	$(RUN) -m http.server --bind 127.0.0.1 --directory $(HTML) 8000

fmt: $(VENV)/installed
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .
	$(RUN) -m catalog fmt

wheel: $(VENV)/installed
	$(RUN) -m pip wheel --no-deps --wheel-dir _build/dist .

standalone: wheel # each notebook from the wheel alone, in a fresh environment and an empty folder
	$(RUN) tests/standalone.py _build/dist $(NOTEBOOKS)

mutations: $(VENV)/installed # break ntklib line by line: claims must catch it; half an hour
	$(RUN) tests/mutations.py $(MUTATIONS)

sphinx: book # the same sources on the newest Sphinx, without Jupyter Book
	$(PYTHON) -m venv _build/sphinx
	_build/sphinx/bin/python -m pip install --disable-pip-version-check --quiet --editable '.[sphinx]'
	_build/sphinx/bin/python -m sphinx -W -n --keep-going -c catalog/sphinx . _build/sphinx/html

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with make PYTHON=python3.12")'
	@echo "Installing into $(VENV): about two minutes, once."
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check --constraint $(CONSTRAINTS) --editable '.[book,test]'
	@touch $@

clean:
	rm -rf _build papers reference $(VENV)
