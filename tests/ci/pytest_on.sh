#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs the unit and simulator tests on one version of ansible-core; what is marked any_core on the main one alone: pytest_on.sh main|core-2.16|core-newest FOLDER|PYTEST OPTION...
set -euo pipefail
environment=$(tests/ci/core_environment.sh "$1")
chosen='not kvm and not vsphere'
[ "$1" = main ] || chosen="$chosen and not any_core"
shift
export PATH=$PWD/$environment/bin:$PATH ANSIBLE_COLLECTIONS_PATH=$PWD/$environment/collections
python --version
ansible --version | sed -n 1p
python -m pytest -q -n 5 -m "$chosen" --override-ini "pythonpath=$environment/collections ." "$@"
