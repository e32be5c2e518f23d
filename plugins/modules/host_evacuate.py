#!/usr/bin/python
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: empties hosts for maintenance."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_evacuate
short_description: Empty hosts for maintenance, live, with the plan shown first, and recover the VMs of dead ones
version_added: 0.1.0
author: vmops.migration contributors (!UNKNOWN)
description:
  - Plans where every VM of one or several hosts can go, closes the hosts to new VMs, moves the VMs live, verifies that the hosts are empty, and
    leaves each host in a stated condition.
  - Nothing is stopped. What cannot move is named with the reason, per host that came into question.
  - A run that was killed costs nothing but a second run, which adopts what is still under way.
  - The result is a failure unless everything was done; it always says what was done and what remains.
  - With O(purpose=recover) the hosts are dead. Their VMs are defined and started on other hosts, from a file that M(vmops.migration.site_info) keeps.
extends_documentation_fragment:
  - vmops.migration.attributes
  - vmops.migration.site
  - vmops.migration.move
  - vmops.migration.move.targets
attributes:
  check_mode:
    support: full
    details: Gives the plan, from a fresh snapshot and with the hypervisors' own pre-checks; writes nothing.
  diff_mode:
    support: full
  idempotent:
    support: full
    details: A host that is empty and in its state is left alone.
options:
  hosts:
    description: The hosts, by name. Several hosts are planned together.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(evacuated) empties the hosts; they are open to new VMs afterwards, unless they were in maintenance before.
      - V(maintenance) empties them and keeps them closed, with a note of who did it and O(why).
      - V(available) opens them again and moves nothing. A host that was dead, and whose VMs were recovered, loses its stale definitions of them first,
        each of them only when it is shut off there and proven to be elsewhere; as long as one cannot be removed, the host stays closed.
      - V(returned) opens them and brings the VMs back that an earlier run moved away from them. Each VM goes to the host that its note calls its home, or
        stays where it is and is named with the reason; it never keeps another from going home, so O(allow_partial) does not matter. With
        O(type=host_storage), volumes that the home does not reach go back into the pools where they were; all others stay where they are, with a warning
        where that is another pool than before. A home that somebody's move made obsolete is forgotten.
      - V(cancelled) asks the run that is emptying them to start nothing new and to end. It does not wait for that.
    type: str
    choices: [evacuated, maintenance, available, returned, cancelled]
    default: evacuated
  purpose:
    description:
      - V(drain) is the planned emptying of hosts that work.
      - V(recover) starts the VMs of dead hosts elsewhere. It needs O(definitions), O(fenced) and O(fenced_by), and refuses when a host gives any sign of life,
        such as an answer or a refused connection on any of its addresses, or a disk of its VMs on shared storage that is still being written to.
      - A VM that runs elsewhere by now is left alone. One that had a disk on storage of the dead host alone, or has no definition, or no place, is named with
        the reason; it keeps no other VM from being recovered. The dead hosts stay closed until they are opened with O(state=available).
      - VMs that were off when the definitions were taken are not recovered. A VM that was paused has lost its memory and is started paused.
      - The consent V(allow_unproven_uniqueness) starts VMs although a host that is not said to be dead does not answer, and might run them.
      - The consent V(allow_firmware_reset) starts VMs whose UEFI variables, or TPM state, were on the dead host, with new ones.
    type: str
    choices: [drain, recover]
    default: drain
  definitions:
    description: For O(purpose=recover), the file that O(vmops.migration.site_info#module:definitions_dest) keeps.
    type: path
  fenced:
    description:
      - For O(purpose=recover), the operator's word that the hosts are without power and will stay so until all is done. Silence proves nothing, because a
        host whose networks broke still runs its VMs.
    type: bool
    default: false
  fenced_by:
    description: For O(purpose=recover), who or what made sure of that. It is kept with the other hosts.
    type: str
  type:
    description:
      - What changes. V(host) leaves all disks where they are, so that a VM with a disk on the host alone cannot leave.
      - With V(host_storage), disks that the target cannot reach are copied along.
    type: str
    choices: [host, host_storage]
    default: host
  mode:
    description: How. V(live) lets the VMs run on; V(suspended) pauses each for its move and needs O(allow_downtime).
    type: str
    choices: [live, suspended]
    default: live
  flatten:
    description: Whether a copy takes in what its volume rests on (a template, for example), instead of resting on the same at the destination.
    type: bool
    default: false
  network_map:
    description: Networks of the destination by networks of the VMs, where they have other names there.
    type: dict
  allow_downtime:
    description: The consent to pause VMs that run, where O(mode) or the timeout's action needs that.
    type: bool
    default: false
  earlier_results:
    description: Files that O(result_file) of earlier runs has written. The expected durations are fitted to the moves that they tell of.
    type: list
    elements: path
    default: []
  select:
    description:
      - A JMESPath expression over the facts of one VM, listed in C(docs/facts.md); only VMs for which it is true are moved.
      - With O(state=maintenance), VMs that are left on the host make the run a failure.
      - Needs jmespath.
    type: str
  order_by:
    description:
      - A JMESPath expression over the same facts that gives a number or a text. VMs are preferred in this order, smallest first.
      - With V(-) before it, largest first. VMs for which it gives nothing come last.
      - Needs jmespath.
    type: str
  target_hosts:
    description: Only these hosts take VMs. Without it, all hosts of O(site) that the rules allow do.
    type: list
    elements: str
    default: []
  allow_partial:
    description: Whether to move what can be moved when some VMs cannot. Without it nothing is moved then.
    type: bool
    default: false
  on_failure:
    description:
      - How to leave a host that could not be emptied. V(reopen) opens it to new VMs; V(keep_closed) keeps it closed.
      - A host that was in maintenance before stays closed either way.
    type: str
    choices: [reopen, keep_closed]
    default: reopen
  approved_plan:
    description:
      - The plan that somebody approved, or its id, from the result of an earlier run in check mode.
      - A plan, or a whole result's C(plan), is compared move by move; moves that have been made since are no difference. An id must be equal.
    type: raw
  on_plan_change:
    description: What to do when the plan is not the approved one. V(fail) says what differs and changes nothing; V(replan) warns and goes on.
    type: str
    choices: [fail, replan]
    default: fail
seealso:
  - module: vmops.migration.find_migration_targets
  - module: vmops.migration.vm_migrate
"""

EXAMPLES = r"""
- name: See the plan, and change nothing
  vmops.migration.host_evacuate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 600}
    hosts: [kvm-a1]
    state: maintenance
  check_mode: true
  register: preview

- name: Run exactly this plan, and keep the host closed
  vmops.migration.host_evacuate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 600}
    hosts: [kvm-a1]
    state: maintenance
    approved_plan: "{{ preview.plan }}"
    why: memory exchange, ticket 4711

- name: Open the host again
  vmops.migration.host_evacuate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 600}
    hosts: [kvm-a1]
    state: available

- name: Bring the VMs of the host home
  vmops.migration.host_evacuate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 600}
    hosts: [kvm-a1]
    state: returned

- name: Keep the definitions of all VMs, for the day on which a host is dead
  vmops.migration.site_info:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 600}
    definitions_dest: /tmp/definitions.json

- name: See what a recovery would do; the host lives, so it is refused
  vmops.migration.host_evacuate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 600}
    hosts: [kvm-b1]
    purpose: recover
    definitions: /tmp/definitions.json
    fenced: true
    fenced_by: power switched off in the rack, ticket 4712
  check_mode: true
  register: recovery
  failed_when: recovery.code != 'host_still_answers'

- name: Move only small user VMs away, the smallest first
  vmops.migration.host_evacuate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 600}
    hosts: [kvm-a2]
    select: "!is_system && memory_mib <= `16384`"
    order_by: memory_mib
    parallel: 4

- name: Ask a run that is emptying the host to stop
  vmops.migration.host_evacuate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 600}
    hosts: [kvm-a2]
    state: cancelled
"""

RETURN = r"""
hosts:
  description: The hosts that were named.
  returned: success and failure, except for wrong options
  type: list
  elements: dict
  contains:
    name: {description: Name of the host., type: str}
    state: {description: "Its state now; in check mode, after the run.", type: str, sample: maintenance}
    state_before: {description: Its state before., type: str, sample: available}
    vms_left: {description: How many VMs still hold memory on it. Empty in check mode., type: int}
remaining:
  description: VMs that are still on the hosts and should not be, or with C(state=returned) are not home, with reasons.
  returned: success and failure, except for wrong options
  type: list
  elements: dict
  contains:
    vm: {description: Id of the VM., type: str}
    vm_name: {description: Name of the VM., type: str}
    host: {description: Host where it is., type: str}
    reasons: {description: Why., type: list, elements: dict}
plan_differences:
  description: How the plan differs from the approved one, move by move.
  returned: when the plan is not the approved one
  type: list
  elements: str
stop_requested_by:
  description: Who asked the run to stop.
  returned: when somebody did
  type: str
plan:
  description:
    - The plan, in the form of C(docs/schema/plan.schema.json) with every field present.
    - Give it, or its C(plan_id), to O(vmops.migration.host_evacuate#module:approved_plan) to run exactly what was approved.
  returned: when something was planned
  type: dict
  contains:
    plan_id: {description: A digest of the moves; equal plans have equal ids., type: str, sample: 4f1c9a0b77de}
    migrations: {description: "The moves with source, target, networks, bytes and seconds.", type: list, elements: dict}
    order: {description: Which move must have ended before which., type: list, elements: dict}
    unplaced: {description: VMs without a place; the reasons per host are in RV(unplaced)., type: list, elements: dict}
    makespan_seconds: {description: How long the whole plan is expected to take., type: float}
    lower_bound_seconds: {description: No plan can take less., type: float}
    gap_percent: {description: How much longer than the lower bound., type: float}
    binding: {description: "The link, host, pool or VM that makes the lower bound as long as it is.", type: dict}
    bytes_to_copy: {description: What all moves copy., type: int}
    warnings: {description: What the plan warns of., type: list, elements: dict}
    explanation: {description: Why there is no whole plan., type: str}
migrations:
  description: One entry per VM, as planned and as it went.
  returned: success and failure, except for wrong options
  type: list
  elements: dict
  contains:
    vm: {description: Id of the VM., type: str}
    vm_name: {description: Name of the VM., type: str}
    source_host: {description: Host that it leaves., type: str}
    target_host: {description: Host that it goes to., type: str}
    host: {description: Host where it is now., type: str}
    phase: {description: "V(done), V(failed), V(cancelled), V(unknown), or V(planned) for a move that has not started.", type: str}
    type: {description: Type of the migration., type: str, sample: host}
    mode: {description: Mode of the migration., type: str, sample: live}
    changed: {description: Whether this run changed anything about it., type: bool}
    adopted: {description: Whether an earlier run had started it., type: bool}
    foreign: {description: Whether somebody else migrated it., type: bool}
    why: {description: Why this target., type: str}
    reasons: {description: "Why it failed, and warnings.", type: list, elements: dict}
    attempts: {description: Every try with its target and reasons., type: list, elements: dict}
    started_at: {description: Start in epoch seconds., type: float}
    ended_at: {description: End in epoch seconds., type: float}
    seconds: {description: How long it took., type: float}
    expected_seconds: {description: How long it was expected to take., type: float}
    downtime_ms: {description: The pause that the hypervisor measured., type: float}
    expected_downtime_ms: {description: The expected pause., type: float}
    transferred_bytes: {description: What was copied., type: int}
    volumes: {description: The volumes that change their pool., type: list, elements: dict}
unplaced:
  description: VMs that cannot be moved.
  returned: success and failure, except for wrong options
  type: list
  elements: dict
  contains:
    vm: {description: Id of the VM., type: str}
    vm_name: {description: Name of the VM., type: str}
    host: {description: Host where it is., type: str}
    reasons: {description: Reasons that hold wherever it might go., type: list, elements: dict}
    candidates: {description: Reasons per host; only of the first hosts., type: dict}
    candidate_counts: {description: How many hosts each code of a reason rules out., type: dict}
    candidates_total: {description: How many hosts came into question., type: int}
stats:
  description: Figures of the plan and of the run; those of the run are empty in check mode.
  returned: success and failure, except for wrong options
  type: dict
  contains:
    planned_moves: {description: Moves of the plan., type: int}
    done: {description: Moves that are done and verified., type: int}
    failed: {description: "Moves that failed, were cancelled, or are unknown.", type: int}
    adopted: {description: Moves that an earlier run had started., type: int}
    foreign: {description: Moves of others that were waited for., type: int}
    unplaced: {description: VMs without a place., type: int}
    remaining: {description: VMs that are still where they should have left., type: int}
    planned_makespan_seconds: {description: Expected duration of all moves., type: float}
    makespan_seconds: {description: Real duration., type: float}
    lower_bound_seconds: {description: No plan can take less., type: float}
    gap_percent: {description: How much longer than the lower bound the plan is., type: float}
    planned_bytes: {description: What was to be copied., type: int}
    transferred_bytes: {description: What was copied., type: int}
    longest_downtime_ms: {description: The longest pause of a VM that was measured., type: float}
warning_reasons:
  description: All warnings with their codes; the texts are among the task's warnings.
  returned: success and failure, except for wrong options
  type: list
  elements: dict
stopped_by:
  description: "What ended the run early: V(deadline), V(stop_request), V(signal), V(controller_gone), or empty."
  returned: success and failure, except for wrong options
  type: str
omitted:
  description: How many entries of a list were left out because the answer would have been too large.
  returned: when something was left out
  type: dict
code:
  description: A stable word for the error.
  returned: failure
  type: str
  sample: vms_unplaced
hint:
  description: What to do about the error.
  returned: failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.interface.arguments import evacuate_spec
from ..module_utils.interface.evacuating import host_evacuate
from ..module_utils.interface.failure import answer


def main() -> None:
    """Options in, result out."""
    module = AnsibleModule(argument_spec=evacuate_spec(), supports_check_mode=True)
    answer(module, host_evacuate)


if __name__ == "__main__":
    main()
