# Argos' commands. PYTHON chooses the interpreter: make test PYTHON=python3.13
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help run test pinned observability faults check bench lock
help:  ## list these targets
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' Makefile

run: $(BIN)/installed  ## both services, migrated and seeded, on ports 3001 and 3002
	@PATH="$(abspath $(BIN)):$$PATH" scripts/run

test: $(BIN)/installed  ## every test; also on PostgreSQL if TEST_DATABASE_URL is set
	@PATH="$(abspath $(BIN)):$$PATH" scripts/test

pinned: $(BIN)/installed  ## the database's tests on the very PostgreSQL that compose names, which it fetches
	@PATH="$(abspath $(BIN)):$$PATH" scripts/pinned

faults: $(BIN)/installed  ## kill and damage what runs; no promise may break (needs PostgreSQL's and RabbitMQ's programs)
	@PATH="$(abspath $(BIN)):$$PATH" scripts/faults

observability: $(BIN)/installed  ## alerts, rules and runbooks against real servers (needs prometheus, prometheus-alertmanager)
	@PATH="$(abspath $(BIN)):$$PATH" scripts/observability

check: $(BIN)/installed  ## formatting, lint, types, migrations, documents, containers
	@PATH="$(abspath $(BIN)):$$PATH" scripts/check

bench: $(BIN)/installed  ## compare Argos with its packages, plainly assembled (needs wrk)
	@PATH="$(abspath $(BIN)):$$PATH" python -m bench.run $(BENCH)

lock: $(BIN)/installed  ## resolve requirements/*.in again, with hashes
	@PATH="$(abspath $(BIN)):$$PATH" scripts/lock

$(BIN)/installed: requirements/dev.txt
	@scripts/install "$(PYTHON)" "$(VENV)"
