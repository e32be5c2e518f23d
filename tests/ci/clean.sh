#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Removes everything that the project's commands made in this checkout, and the lab of `make lab-up`. Labs of other runs are left alone.
set -euo pipefail
if [ -x .venv/bin/python ] && [ "$(id -u)" = 0 ] && [ -e tests/labs/kvm/__main__.py ]; then
    .venv/bin/python -m tests.labs.kvm down || true
fi
rm -rf .venv .venvs build .ansible .nox .cache .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache collections tests/output ./*.tar.gz
find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
