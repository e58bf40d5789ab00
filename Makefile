# SPDX-License-Identifier: GPL-3.0-or-later
# Every command of this project. `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# What the caller's shell points at (a production cluster, another ansible.cfg) has no say here: a cluster other than the
# project's own is used only when it is named on purpose, as CLUSTER_KUBECONFIG=path.
unexport KUBECONFIG VIRTUAL_ENV PYTHONHOME $(filter K8S_AUTH_% ANSIBLE_% MOLECULE_%,$(.VARIABLES))
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/.cache/collections
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.cache/collections
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible

kubeconfig := $(abspath $(or $(CLUSTER_KUBECONFIG),.cache/cluster/kubeconfig))
on_cluster := K8S_AUTH_KUBECONFIG="$(kubeconfig)"
package := ansible_collections.ai_aas.vllm
timed := @.ci/timed
checks := lint types unit rules sanity build

.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(MAKEFILE_LIST))

help: ## this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## everything from nothing: the cluster, two environments, a preflight, a change, the same again, a bad upgrade that comes back, the history
	$(timed) demo $(MAKE) env cluster demo-run

check: ## all checks that need no cluster
	$(timed) check $(MAKE) env $(checks)

test: ## check, then integration and molecule on the test cluster (test-kill, test-vllm and bench are apart)
	$(timed) test $(MAKE) env $(checks) cluster integration molecule

# --- set-up

env: ## .venv and .cache/collections, from pinned requirements
	$(timed) env .ci/env

older: env ## .cache/older, the oldest ansible-core and libraries that have to do
	$(timed) older .ci/older

lock: env ## renew the pinned requirements after a change of what they are made from
	@pin() { uv pip compile "$$1" --quiet --universal --python-version 3.12 --generate-hashes \
		--custom-compile-command 'make lock' --output-file "$$2"; }; \
	pin requirements-dev.in requirements-dev.txt; \
	pin requirements-older.in requirements-older.txt; \
	cd tests/vllm; pin pyproject.toml requirements.txt

# --- the test cluster

ifdef CLUSTER_KUBECONFIG
cluster:
	@echo "Using the cluster of $(kubeconfig)"
else
cluster: env ## start the test cluster (needs Linux, root and apt-get; the first time it is built, in 8 minutes)
	$(timed) cluster python -m tests.cluster up
endif

cluster-down: env ## stop the test cluster and remove what it left behind
	$(timed) cluster-down python -m tests.cluster down

image: env ## build the image of the stand-in server, for a cluster of your own (needs Linux, root and apt-get)
	$(timed) image python -m tests.cluster image

# --- checks without a cluster

lint: env ## ruff, ansible-lint, changelog
	$(timed) ruff ruff check --output-format concise .
	$(timed) ruff-format ruff format --check .
	$(timed) ansible-lint ansible-lint
	$(timed) changelog antsibull-changelog lint

format: env ## put the Python files into shape
	@ruff check --quiet --select I --fix . && ruff format .

types: env ## mypy --strict
	$(timed) types mypy -p $(package).plugins -p $(package).tests.cluster

unit: env ## pure functions and the role's templates
	$(timed) unit pytest --numprocesses auto tests/unit

rules: env ## the house rules
	$(timed) rules pytest tests/rules

sanity: env ## ansible-test's own checks, nothing ignored
	$(timed) sanity .ci/sanity

build: env ## the collection as a tarball in .cache/build
	$(timed) build .ci/build

# --- tests on the cluster

integration: env older reachable ## the modules and the playbooks on the test cluster (installs openssh-server where there is no sshd)
	@$(on_cluster) .ci/timed integration pytest --numprocesses 3 --dist loadscope tests/integration

test-kill: env reachable ## kill and hold back runs at every write, in every operation, on the test cluster (half an hour)
	@$(on_cluster) .ci/timed test-kill pytest --capture no --durations 0 tests/kill

test-vllm: env reachable ## deploy, upgrade and break a real vLLM on the CPU, on the test cluster (8 GB of disk; half an hour the first time)
	$(timed) vllm python -m $(package).tests.vllm.install
	@$(on_cluster) .ci/timed test-vllm pytest --durations 0 tests/vllm

molecule: env reachable ## the role as a user runs it, from check mode to removal
	@$(on_cluster) NO_COLOR=1 .ci/timed molecule molecule test --all

bench: env reachable ## ours beside Helm and kubernetes.core, as a table in .cache/bench (ROUNDS=3: twenty-five minutes)
	@$(on_cluster) .ci/timed bench python -m $(package).tests.bench --rounds $(or $(ROUNDS),3)

demo-run: env reachable
	@$(on_cluster) .ci/timed demo-run demo/run

reachable:
	@[[ -f "$(kubeconfig)" ]] || { echo "There is no $(kubeconfig): run 'make cluster' first, or name another cluster" \
		"with CLUSTER_KUBECONFIG=path." >&2; exit 1; }

clean: ## remove .venv and .cache (a running cluster goes on)
	@rm -rf .venv .cache
