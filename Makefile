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
timed := .ci/timed

.PHONY: help env lock
help: ## this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: ## .venv and .cache/collections, from pinned requirements
	@$(timed) env .ci/env

lock: env ## renew requirements-dev.txt after a change of requirements-dev.in
	@uv pip compile requirements-dev.in --quiet --universal --python-version 3.12 --generate-hashes \
		--custom-compile-command 'make lock' --output-file requirements-dev.txt

sanity: env ## ansible-test's own checks, nothing ignored
	@$(timed) sanity .ci/sanity
