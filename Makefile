# Two commands serve a newcomer: `make run` and `make test`. They need python3 (3.11+) with venv, and make.
PYTHON := .venv/bin/python
PIP := $(PYTHON) -m pip --quiet --disable-pip-version-check

.PHONY: run test bench check lock clean help

run: .venv/run .env ## serve a demo at http://$HOST:$PORT (default 127.0.0.1:8000)
	@$(PYTHON) manage.py quickstart

test: .venv/dev ## the whole suite, against a real PostgreSQL
	@$(PYTHON) -m pytest $(ARGS)

bench: .venv/bench ## compare with textbook DRF, FastAPI + asyncpg and PostgreSQL alone
	@$(PYTHON) -m benchmarks $(ARGS)

check: .venv/dev ## style, imports, types, migrations, production settings, duplicate rules
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	.venv/bin/lint-imports --no-cache
	DATABASE_URL=postgresql://unused/unused $(PYTHON) -m mypy
	$(PYTHON) -m pytest -q -n0 -p no:cacheprovider tests/config/test_project.py

lock: .venv/dev ## resolve requirements/*.in, each with hashes
	for name in production local dev bench; do \
		case $$name in production) locked=requirements.txt;; *) locked=requirements/$$name.txt;; esac; \
		.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
			--no-emit-index-url --no-emit-find-links $(ARGS) requirements/$$name.in --output-file $$locked || exit 1; \
	done

clean: ## remove what was installed and all local data
	rm -rf .venv .data .env

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F"|" '{ printf "%-14s %s\n", $$1, $$2 }'

.venv/bin/python:
	python3 -m venv .venv

.venv/run: requirements.txt requirements/local.txt | .venv/bin/python
	@echo "Installing ..."
	@$(PIP) install --require-hashes -r requirements.txt -r requirements/local.txt
	@touch $@

.venv/dev: requirements/dev.txt .venv/run | .venv/bin/python
	@echo "Installing the tools for tests ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

.venv/bench: requirements/bench.txt .venv/dev | .venv/bin/python
	@echo "Installing the peers and tools for benchmarks ..."
	@$(PIP) install --require-hashes -r requirements/bench.txt
	@touch $@

.env: | .venv/run
	@umask 077 && $(PYTHON) -m demo.environment > $@
