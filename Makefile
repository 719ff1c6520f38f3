# Everything sets itself up: `make up` starts the platform, `make test` checks it, `make demo` shows it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
UV := $(BIN)/uv
NPM = $(shell command -v npm || echo $(BIN)/npm)
VENDOR := src/ovd_saas/assets/static/vendor
LOCALE := src/ovd_saas/assets/locale

.PHONY: up demo test check format setup setup-dev words screenshots locks migrations clean help

help:            ## list the commands
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

up: setup        ## start the platform with its examples; Ctrl-C stops it
	@$(BIN)/ovd up

demo: setup      ## run the main job end to end on real data and print what happened
	@$(BIN)/ovd demo

test: setup-dev check  ## everything CI runs: checks and tests
	$(BIN)/pytest -n 2 --dist loadfile

check: setup-dev  ## formatting, lint, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: setup-dev  ## let ruff rewrite what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup: .venv/.platform $(VENDOR)/.ready $(LOCALE)/.ready  ## environment and page assets
setup-dev: .venv/.dev .venv/.browser $(VENDOR)/.ready $(LOCALE)/.ready

.venv/.tools: requirements/tools.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements/tools.lock
	@touch $@

.venv/.platform: .venv/.tools requirements/platform.lock pyproject.toml sdk/pyproject.toml
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/platform.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e sdk -e .
	@touch $@

.venv/.dev: .venv/.platform requirements/dev.lock
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.lock
	@touch $@

.venv/.browser: .venv/.dev tools/browser.sh
	tools/browser.sh
	@touch $@

PAGES := $(shell find src/ovd_saas -path '*/static/vendor' -prune -o \( -name '*.html' -o -name '*.js' \) -print)
PAGE_CODE := $(shell find src/ovd_saas/assets src/ovd_saas/panel src/ovd_saas/frontends -name '*.py')

node_modules/.ready: .venv/.tools package-lock.json
	$(NPM) ci --silent
	@touch $@

$(VENDOR)/.ready: node_modules/.ready tools/vendor.py $(wildcard tools/bundles/*.js) src/ovd_saas/assets/icons.txt $(PAGES) $(PAGE_CODE)
	@PATH="$(dir $(NPM)):$$PATH" $(BIN)/python tools/vendor.py node_modules $(VENDOR)
	@touch $@

$(LOCALE)/.ready: .venv/.tools tools/words.py tools/sentences.py $(wildcard $(LOCALE)/*/LC_MESSAGES/*.po)
	@$(BIN)/python tools/words.py compile
	@touch $@

words: setup     ## gather the marked texts of pages for translation and say what is missing
	@$(BIN)/python tools/words.py extract
	@$(BIN)/python tools/words.py compile

screenshots: setup-dev  ## pictures of every page of a platform of its own, in a folder that is printed
	@$(BIN)/python tools/screenshots.py

locks: .venv/.tools  ## compile the lock files anew
	cd requirements && for name in platform dev tools; do \
	  ../$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate $$name.in -o $$name.lock; done
	$(NPM) install --package-lock-only --silent

clean:           ## remove what set-up made (not your data)
	rm -rf .venv node_modules $(VENDOR) $(LOCALE)/.ready $(LOCALE)/*/LC_MESSAGES/*.mo $(LOCALE)/*/LC_MESSAGES/*.json .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

migrations: setup-dev  ## write migrations for changed records
	$(BIN)/python -m django makemigrations --settings ovd_saas.wiring.settings_test store
