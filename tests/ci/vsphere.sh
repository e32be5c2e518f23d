#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs the tests on the vSphere lab: vsphere.sh FOLDER|PYTEST OPTION...
# On a machine that cannot build the lab's server they are skipped with the reason; with CI=true every lab test that would be skipped fails.
set -euo pipefail
reason=$(python -c 'from tests.labs.vsphere.requirements import missing_requirements; print("; ".join(missing_requirements()))')
if [ -n "$reason" ]; then
    echo "Skipped, the vSphere lab lacks: $reason"
    exit 77
fi
[ "${CI:-}" != true ] || export VMOPS_LAB_REQUIRED=1
python -m pytest -q -n "${VSPHERE_WORKERS:-3}" -m vsphere "$@"
