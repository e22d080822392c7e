# Argos' commands. PYTHON chooses the interpreter, VENV the environment: make test PYTHON=python3.13 VENV=.venv-3.13
# DJANGO chooses another Django than the locked one: make test PYTHON=python3.13 DJANGO=6.1
# They are for the command line alone: a shell may hold them for another project.
PYTHON := python3
DJANGO :=
VENV := .venv$(DJANGO:%=-django-%)
BIN := $(VENV)/bin
IN := PATH="$(abspath $(BIN)):$$PATH" exec

.PHONY: help run demo test pinned observability faults check bench rollout lock
help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

run: $(BIN)/installed-run  ## the services, migrated and seeded; RELOAD=1 loads changed code
	@$(IN) scripts/run

demo: $(BIN)/installed-run  ## seeded load and four faults on the processes of `make run`, told here; DEMO="--seed 2 --seconds 60"
	@$(IN) scripts/demo $(DEMO)

test: $(BIN)/installed-dev  ## every test; also on PostgreSQL if TEST_DATABASE_URL is set
	@$(IN) scripts/test

pinned: $(BIN)/installed-dev  ## the database's tests on the very PostgreSQL that compose names, which it fetches
	@$(IN) scripts/pinned

faults: $(BIN)/installed-dev  ## kill and damage what runs; no promise may break (needs PostgreSQL's and RabbitMQ's programs)
	@$(IN) scripts/faults

observability: $(BIN)/installed-dev  ## alerts, rules and runbooks against real servers (needs prometheus, prometheus-alertmanager)
	@$(IN) scripts/observability

check: $(BIN)/installed-dev  ## formatting, lint, types, migrations, documents, containers
	@$(IN) scripts/check

bench: $(BIN)/installed-dev  ## compare Argos with its packages, plainly assembled (needs wrk)
	@$(IN) scripts/bench $(BENCH)

rollout: $(BIN)/installed-dev  ## replace 20 replicas behind the gateway under load; no request may fail (needs nginx)
	@$(IN) python -m bench.rollout $(ROLLOUT)

lock: $(BIN)/installed-dev  ## resolve requirements/*.in again, with hashes
	@$(IN) scripts/lock

$(BIN)/installed-%: requirements/%.txt $(DJANGO:%=requirements/django-%.txt)
	@scripts/install "$(PYTHON)" "$(VENV)" $* $(DJANGO)
