# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The project's only commands. Each sets up what it needs, says what it does, and is quick when nothing is left to set up.
# Longer logic lives in tests/ci/, tests/demo/ and tools/.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

CI_SCRIPTS := tests/ci
PROPERTIES := $(addprefix tests/unit/, planning/test_properties.py planning/test_pool_targets.py planning/test_storage_plans.py interface/test_find_and_check_mode.py)
BIN := .venv/bin
# The main environment takes the oldest Python that we support, so that nothing newer slips in; PYTHON=... chooses another.
PYTHON ?= $(shell $(CI_SCRIPTS)/find_python.sh 3.11 3.12 3.13 3.14)

# A checkout works anywhere: for a user without a home, in an empty environment, in a path with spaces.
export LC_ALL := C.UTF-8
export PYTHONUTF8 := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)
export ANSIBLE_HOME := $(CURDIR)/.ansible
export ANSIBLE_REMOTE_TEMP := $(CURDIR)/.ansible/tmp
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.venv/collections
export ANSIBLE_CONFIG := $(CURDIR)/$(CI_SCRIPTS)/ansible.cfg

.PHONY: help demo demo-kvm test mutate-rules property-tests lab-matrix lint format bench docs lab-up lab-down clean .venv packages-python packages-checks packages-kvm packages-vsphere venv-run venv-test venv-lint venv-docs venv-kvm venv-vsphere

help: ## say what each command does (the default)
	@echo 'vmops.migration: make COMMAND'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name says; do printf '  %-14s %s\n' "$$name" "$$says"; done

demo: venv-run ## drain a host of the example site on the simulator: plan, live progress, report; no root, no hypervisor
	@tests/demo/demo.sh

demo-kvm: packages-kvm venv-kvm ## the same with real guests on three libvirt hosts of the lab; root
	@tests/demo/demo_kvm.sh

test: packages-kvm packages-vsphere venv-test venv-lint venv-kvm venv-vsphere ## all tests: unit, simulator, older and newest ansible-core, KVM and vSphere labs, molecule, demo
	@$(BIN)/python $(CI_SCRIPTS)/run_stages.py $(CI_SCRIPTS)/test.toml $(STAGES)

mutate-rules: venv-test ## spoil every row of the rulebook, one at a time: one of the row's own tests has to notice
	@PYTHONPATH=$(CURDIR)/.venv/collections $(BIN)/python -m tests.mutation

property-tests: venv-test ## try every property of rules, planning and modules on thousands of random worlds; VMOPS_EXAMPLES says how many
	@VMOPS_EXAMPLES=$${VMOPS_EXAMPLES:-3000} $(BIN)/python -m pytest -q -n auto tests/unit/rules/test_rulebook.py $(PROPERTIES)

lab-matrix: packages-kvm venv-test venv-lint venv-kvm ## all cases of the long matrices on the KVM lab, of which make test runs one in ten; root
	@VMOPS_MATRIX_PART=1 $(CI_SCRIPTS)/kvm.sh tests/labs tests/integration

lint: packages-checks venv-lint venv-docs ## all checks: ruff, mypy, import-linter, licences, Ansible's own linters and sanity tests, the build
	@$(BIN)/python $(CI_SCRIPTS)/run_stages.py $(CI_SCRIPTS)/lint.toml $(STAGES)

format: venv-lint ## let ruff put the Python files into the project's format
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: packages-kvm packages-vsphere venv-test venv-kvm venv-vsphere ## measure planning, plan quality and the executor's overhead; prints a table
	@tests/benchmarks/bench.sh

docs: venv-docs ## write docs/rules.md from the rulebook and the tests, and build the documentation pages into build/docs
	@$(BIN)/python tools/make_rules_doc.py
	@tools/build_docs.sh

lab-up: packages-kvm venv-kvm ## start the KVM lab: three libvirt hosts in network namespaces; root
	@$(BIN)/python -m tests.labs.kvm up

lab-down: ## stop the KVM lab
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m tests.labs.kvm down; else echo 'No environment, so no lab runs.'; fi

clean: ## remove everything that these commands made, Debian packages apart
	@$(CI_SCRIPTS)/clean.sh

# Set-up: every step is a no-op when it is up to date.

.venv: venv-test venv-lint venv-kvm venv-vsphere

packages-python packages-checks packages-kvm packages-vsphere: packages-%:
	@$(CI_SCRIPTS)/packages.sh $*

venv-run: packages-python
	@$(CI_SCRIPTS)/venv.sh .venv "$(PYTHON)" run

venv-test: packages-python
	@$(CI_SCRIPTS)/venv.sh .venv "$(PYTHON)" run test

venv-lint: packages-python
	@$(CI_SCRIPTS)/venv.sh .venv "$(PYTHON)" run test lint

venv-docs: packages-python
	@$(CI_SCRIPTS)/venv.sh .venv "$(PYTHON)" run docs

venv-vsphere: packages-python
	@$(CI_SCRIPTS)/venv.sh .venv "$(PYTHON)" run vsphere

# libvirt-python needs a compiler and libvirt's headers: where they are missing, only the parts on KVM are missing too.
venv-kvm: packages-python
	@if pkg-config --exists libvirt 2>/dev/null; then $(CI_SCRIPTS)/venv.sh .venv "$(PYTHON)" run libvirt; \
	else echo 'libvirt-dev and pkg-config are not installed: the KVM driver has no library here.'; fi
