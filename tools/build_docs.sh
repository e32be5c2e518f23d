#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Builds the documentation pages of modules and roles into build/docs/html, and those under docs/ beside them.
set -euo pipefail
out=$PWD/build/docs
rm -rf "$out" && mkdir -p "$out/rst"
antsibull-docs collection --use-current --squash-hierarchy --fail-on-error --dest-dir "$out/rst" vmops.migration
cat >"$out/rst/conf.py" <<'PYTHON'
project = "vmops.migration"
extensions = ["sphinx_antsibull_ext"]
html_theme = "sphinx_rtd_theme"
html_use_smartypants = True
# references into Ansible's own documentation need its index, which is not fetched: the build works without a network
suppress_warnings = ["ref.ref"]
PYTHON
sphinx-build --quiet --fail-on-warning --builder html "$out/rst" "$out/html"
echo "Documentation: $out/html/index.html"
