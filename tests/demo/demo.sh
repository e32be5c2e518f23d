#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Drains a host of the example site on the simulator: the plan, live progress, the summary. Runs the same playbook four times and fails
# unless each did what it should: check mode writes nothing, the drain empties the host, the second run changes nothing.
set -euo pipefail
host=kvm-a1
folder=build/demo
state=$folder/site.state.json
mkdir -p "$folder"
rm -f "$state"*
if [ -t 1 ]; then export ANSIBLE_FORCE_COLOR=1; fi

playbook() {
    local log=$folder/$1.log
    shift
    ansible-playbook -i examples/inventory.yml vmops.migration.host_maintenance -e "host_maintenance_hosts=$host" "$@" | tee "$log"
}
title() { printf '\n========== %s\n\n' "$1"; }
fail() { printf 'demo: %s\n' "$1" >&2; exit 1; }
changes() { sed 's/\x1b\[[0-9;]*m//g' "$folder/$1.log" | sed -n 's/^localhost .* changed=\([0-9]*\) .*/\1/p'; }
# what the state file says, but for the time of its last writing: a run claims the host for as long as it looks
world() { python -c 'import json, sys; state = json.load(open(sys.argv[1])); state.pop("at"); print(json.dumps(state, sort_keys=True))' "$state"; }
digest() { if [ -e "$state" ]; then sha256sum <"$state"; else echo none; fi; }

title "1 of 4: the plan (--check --diff); nothing is written"
playbook plan --check --diff
[ "$(digest)" = none ] || fail "check mode wrote a state file"
[ "$(changes plan)" = 1 ] || fail "check mode did not announce the drain as a change"

title "2 of 4: the drain, with live progress"
playbook drain
[ "$(changes drain)" = 1 ] || fail "the drain changed nothing"
grep -q "$host: maintenance" "$folder/drain.log" || fail "$host is not in maintenance"

title "3 of 4: the same playbook again; nothing is left to do"
before=$(world)
playbook again
[ "$(changes again)" = 0 ] || fail "the second run changed something"
[ "$(world)" = "$before" ] || fail "the second run changed the world"

title "4 of 4: and --check --diff once more"
before=$(digest)
playbook check --check --diff
[ "$(changes check)" = 0 ] || fail "check mode announced a change where nothing is left to do"
[ "$(digest)" = "$before" ] || fail "check mode wrote into the world"

printf '\n%s is empty and in maintenance; the second run and both check modes changed nothing. The world: %s\n' "$host" "$state"
