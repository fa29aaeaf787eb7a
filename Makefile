# Everything a developer types. `make help` lists it; each target repeats safely.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run radius test test-previous lint licences audit format requirements fuzz-api api-snapshot bench-discovery bench-subscribers bench-api bench-api-layers bench-hardware bench-ipam bench-billing bench-documents bench-coa bench-radius bench-tickets bench-diagnosis bench-webhooks bench-tenant-export bench-scale bench-fairness drill demo-year backup restore backup-keys clean venv venv-dev
# Anything that runs Python uses the project's own virtual environment; only its creation needs another one.
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: venv ## Start ISPCore with its own servers, a demo provider and simulated devices
	@exec $(PY) -m ispcore.embedded run

radius: venv ## Start FreeRADIUS beside `make run`, where it is installed
	@exec $(PY) -m ispcore.embedded radius

test: venv-dev ## Run all tests (as root on Debian the programs they drive are installed first)
	@$(PY) tests/system_packages.py --install
	@$(PY) -c 'import easysnmp' 2>/dev/null || ! command -v net-snmp-config >/dev/null || \
		$(PIP) install -r requirements-easysnmp.txt || echo "easysnmp could not be built; its tests are skipped"
	@# A process a core, each with servers of its own; a file stays with one.
	@exec $(PY) -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile

test-previous: venv-dev ## Run an earlier release's tests on this one's tables (PREVIOUS=tag ARGS=tests/billing)
	@exec $(PY) -m tests.previous $(PREVIOUS) $(ARGS)

lint: venv-dev ## Check style, types, import layers and migrations
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .
	.venv/bin/lint-imports
	$(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(PY) manage.py lint_migrations

licences: venv ## Write docs/licences.md anew from what is installed
	@exec $(PY) -m tests.licences

audit: venv ## Ask for known vulnerabilities of what is pinned; needs the internet, and is skipped without it
	@if ! $(PY) -c 'import socket; socket.create_connection(("api.osv.dev", 443), 5)' 2>/dev/null; then \
		echo "skipped: the vulnerability service cannot be reached"; exit 0; \
	fi; \
	$(PY) -m venv .venv/audit && .venv/audit/bin/python -m pip --quiet install pip-audit==2.10.1 && \
	.venv/audit/bin/pip-audit --requirement requirements.txt --no-deps --disable-pip --vulnerability-service osv --timeout 10

format: venv-dev ## Format the code and repair what ruff can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

requirements: venv-dev ## Compile the version pins anew from requirements*.in
	@$(PIP) install pip-tools
	@for name in requirements requirements-dev; do \
		$(PY) -m piptools compile --quiet --upgrade --strip-extras --no-header --annotation-style=line \
			--no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
			--output-file $$name.txt $$name.in || exit 1; \
	done
	@# pip-compile looks at this machine's Python only; Debian 12 has 3.11.2.
	@echo 'async-timeout==5.0.1 ; python_full_version < "3.11.3"  # via redis' >>requirements.txt

fuzz-api: venv-dev ## Ask everything the OpenAPI document describes of a real server (ARGS="--only zones --examples 100")
	@exec $(PY) -m tests.api.fuzz $(ARGS)

api-snapshot: venv-dev ## Write docs/api/contract.json anew (BREAKING="why" where a change breaks clients)
	@exec $(PY) -W ignore::RuntimeWarning -m tests.api.snapshot $(if $(BREAKING),--breaking "$(BREAKING)")

bench-discovery: venv-dev ## Measure OLT discovery against its peers
	@exec $(PY) -m bench.discovery

bench-subscribers: venv-dev ## Measure API and admin with up to a million subscribers (SIZES="10000 100000" for fewer)
	@exec $(PY) -m bench.subscribers $(if $(SIZES),--sizes $(SIZES))

bench-api: venv-dev ## Measure what the API answers a second beside bare Django, what a token's check takes and each layer
	@exec $(PY) -m bench.api $(ARGS)

bench-api-layers: venv-dev ## Measure what each layer of an API request costs
	@exec $(PY) -m bench.api_layers

bench-hardware: venv-dev ## Measure polling, storing and charting of OLTs
	@exec $(PY) -m bench.hardware

bench-ipam: venv-dev ## Measure how fast addresses are handed out, beside plain SQL
	@exec $(PY) -m bench.ipam

bench-billing: venv-dev ## Measure a whole billing run beside plain SQL (SIZES="10000" for less)
	@exec $(PY) -m bench.billing $(if $(SIZES),--sizes $(SIZES))

bench-documents: venv-dev ## Measure how many invoices one core sets as PDF a second
	@exec $(PY) -m bench.documents

bench-radius: venv-dev ## Measure log-ins and accounting beside FreeRADIUS' own SQL set-up (ARGS="--accounts 10000" for less)
	@exec $(PY) -m bench.radius $(ARGS)

demo-year: venv-dev ## Walk through a provider's year of billing and recount all of it (SUBSCRIBERS=50 for fewer)
	@exec $(PY) -m demo.year $(or $(SUBSCRIBERS),1000)

bench-coa: venv-dev ## Measure 2,000 disconnects through the queue against a FreeRADIUS that plays the NAS
	@exec $(PY) -m bench.coa

bench-tickets: venv-dev ## Measure every list and page of the helpdesk with 500,000 tickets (ARGS="--tickets 20000" for less)
	@exec $(PY) -m bench.tickets $(ARGS)

bench-diagnosis: venv-dev ## Measure diagnoses at a provider of 100,000 lines (ARGS="--subscribers 5000" for less)
	@exec $(PY) -m bench.diagnosis $(ARGS)

bench-webhooks: venv-dev ## Measure how many webhooks one worker sends a second (ARGS="--events 500" for less)
	@exec $(PY) -m bench.webhooks $(ARGS)

bench-tenant-export: venv-dev ## Measure export and restore of a provider beside plain COPY (ARGS="--subscribers 10000" for less)
	@exec $(PY) -m bench.tenant_export $(ARGS)

backup: venv ## Back up the database while it runs (KEEP=7 removes all but the newest 7, TO=folder)
	@exec $(PY) -m ispcore.embedded manage backup $(if $(TO),--folder "$(TO)") $(if $(KEEP),--keep "$(KEEP)")

restore: venv ## Restore a backup into an empty database (BACKUP=folder; CHECK=1 only looks, REPLACE=1 sets the present one aside)
	@test -n "$(BACKUP)" || { echo 'Name the backup: make restore BACKUP=.run/backups/…' >&2; exit 1; }
	@exec $(PY) -m ispcore.embedded manage $(if $(CHECK),,--alone) restore "$(BACKUP)" \
		$(if $(CHECK),--check) $(if $(REPLACE),--replace)

backup-keys: venv ## Write the keys that no backup holds into a file (TO=file); keep it apart
	@test -n "$(TO)" || { echo 'Name the file: make backup-keys TO=/media/stick/ispcore.keys' >&2; exit 1; }
	@exec $(PY) -m ispcore.embedded manage backup_keys "$(TO)"

drill: venv-dev ## Cut and kill each host of an installation in network namespaces, as root (ARGS="--only database")
	@exec $(PY) -m bench.drill $(ARGS)

bench-scale: venv-dev ## Measure what grows with a provider: 1,000,000 subscribers beside 10,000 (ARGS="--sizes 2000 20000 --keep DIR" for less)
	@exec $(PY) -m bench.scale $(ARGS)

bench-fairness: venv-dev ## Measure how much slower others become while one provider does its worst (ARGS="--seconds 10 --subscribers 500" for less)
	@exec $(PY) -m bench.fairness $(ARGS)

clean: ## Remove the virtual environment and caches; the data in .run stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The installed list is kept beside what it was installed from, so only a changed list costs time.
venv: .venv/bin/python
	@cmp -s requirements.txt .venv/requirements.txt || { \
		echo "Installing requirements.txt into .venv"; \
		$(PIP) install -r requirements.txt && cp requirements.txt .venv/requirements.txt; }

venv-dev: venv
	@cmp -s requirements-dev.txt .venv/requirements-dev.txt || { \
		echo "Installing requirements-dev.txt into .venv"; \
		$(PIP) install -r requirements.txt -r requirements-dev.txt \
			&& cp requirements-dev.txt .venv/requirements-dev.txt; }

# A virtual environment whose Python was removed or upgraded away does not answer and is made anew.
.PHONY: .venv/bin/python
.venv/bin/python:
	@if ! .venv/bin/python -c 'import pip' 2>/dev/null; then \
		for python in $$PYTHON python3.13 python3.12 python3.11 python3.14 python3 python; do \
			if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo "ISPCore needs Python 3.11 or newer, and none was found in PATH. Install one, or name it: PYTHON=/path/to/python3 make run" >&2; exit 1; \
		fi; \
		echo "Creating .venv with $$($$found --version)"; \
		rm -rf .venv; \
		if ! $$found -m venv .venv >.venv-error 2>&1; then \
			sed 's/^/    /' .venv-error >&2; rm -rf .venv .venv-error; \
			echo "$$found cannot create a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
		fi; \
		rm -f .venv-error; \
	fi
