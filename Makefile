# Every target is one line of `infrastructure/bootstrap.py`, so it works without make too:
#   sh infrastructure/bootstrap.sh run
# PYTHON=/path/to/python3 chooses the Python, ARGS="..." goes to the last command of a target.

.DEFAULT_GOAL := help
BOOTSTRAP := sh infrastructure/bootstrap.sh

.PHONY: help run demo bench bench-sockets test test-unit test-contract test-integration test-system test-browser simulate chaos
.PHONY: fuzz model mutants check openapi screenshots format lock clean

SEEDS ?= 10000
CASES ?= 200

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

run: ## Start everything on this machine, on http://localhost:8000; installs what it needs into .venv first
	@$(BOOTSTRAP) run $(ARGS)

demo: ## Tell the story of a handful of notifications on a private instance, and fail unless all of it happened
	@$(BOOTSTRAP) demo $(ARGS)

bench: ## Measure a private instance: throughput, latency, cost; fails if anything is lost
	@$(BOOTSTRAP) bench $(ARGS)

bench-sockets: ## Hold 10,000 inboxes open, push to all of them, cut them all off; fails if anything is lost
	@$(BOOTSTRAP) bench-sockets $(ARGS)

test: ## Run all tests, with everything they need
	@$(BOOTSTRAP) test $(ARGS)

test-unit: ## Run the tests that need nothing else running
	@$(BOOTSTRAP) test-unit $(ARGS)

test-contract: ## Run the tests of what is promised to others: manifests, interfaces, both brokers
	@$(BOOTSTRAP) test-contract $(ARGS)

test-integration: ## Run the tests against a real Postgres and a real RabbitMQ
	@$(BOOTSTRAP) test-integration $(ARGS)

test-system: ## Run the tests of whole processes, as a user starts them
	@$(BOOTSTRAP) test-system $(ARGS)

test-browser: ## Run the tests that drive a Chromium as a person does
	@$(BOOTSTRAP) test-browser $(ARGS)

simulate: ## Let everything go wrong in SEEDS=10000 simulated worlds; ARGS="--seed 7" tells the story of one
	@$(BOOTSTRAP) simulate --seeds $(SEEDS) $(ARGS)

chaos: ## Strike real processes a hundred times under load, and hold every promise to the audit
	@$(BOOTSTRAP) chaos $(ARGS)

fuzz: ## Ask a private instance everything that the specification allows and forbids; CASES=2000 of each, ARGS="--seed 7"
	@$(BOOTSTRAP) fuzz --cases $(CASES) $(ARGS)

model: ## Verify the model of claims, leases and retries, and show what its guards are for; needs spin and gcc
	@$(BOOTSTRAP) model $(ARGS)

mutants: ## Plant one bug at a time, and see which check catches it
	@$(BOOTSTRAP) mutants $(ARGS)

check: ## Look at style, types and architecture, and run the unit tests
	@$(BOOTSTRAP) check $(ARGS)

openapi: ## Write the API's specification anew, from the tables of operations
	@$(BOOTSTRAP) openapi

screenshots: ## Save every view of the console to build/screenshots, in light and dark
	@$(BOOTSTRAP) screenshots $(ARGS)

format: ## Put the code into the one form that check accepts
	@$(BOOTSTRAP) format

lock: ## Resolve pyproject.toml into infrastructure/requirements anew; needs uv, in .venv/bin or on the path
	@$(BOOTSTRAP) lock

clean: ## Remove what was built here; the data in .carillon stays
	rm -rf .venv .tools build .mypy_cache .ruff_cache .import_linter_cache .hypothesis carillon.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
