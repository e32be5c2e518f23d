#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs all benchmarks one after the other, each of which prints its table; those on real guests where the KVM lab can run.
set -euo pipefail
export PYTHONPATH=$PWD/.venv/collections
status=0
for benchmark in tests/benchmarks/*.py; do
    grep -q '^if __name__ == "__main__":' "$benchmark" || continue
    name=$(basename "$benchmark" .py)
    printf '\n=== %s\n' "$name"
    if [[ $name == *_kvm ]]; then
        lacking=$(python -c 'from tests.labs.kvm.requirements import missing_requirements; print("; ".join(missing_requirements()))')
        if [ -n "$lacking" ]; then
            echo "Left out, the KVM lab lacks: $lacking"
            continue
        fi
    fi
    if [[ $name == *_vsphere ]]; then
        lacking=$(python -c 'from tests.labs.vsphere.requirements import missing_requirements; print("; ".join(missing_requirements()))')
        if [ -n "$lacking" ]; then
            echo "Left out, the vSphere lab lacks: $lacking"
            continue
        fi
    fi
    python -m "tests.benchmarks.$name" || status=1
done
exit $status
