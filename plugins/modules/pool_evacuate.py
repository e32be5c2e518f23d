#!/usr/bin/python
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: empties storage pools, so that they can be taken away."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pool_evacuate
short_description: Empty storage pools under running VMs, with the plan shown first
version_added: 0.1.0
author: vmops.migration contributors (!UNKNOWN)
description:
  - Plans where every volume of one or several storage pools can go, closes the pools to new volumes, moves the volumes while their VMs run, looks into the
    pools themselves to see whether they are empty, and leaves each pool in a stated condition.
  - VMs that are off are moved as they are, and stay off; both kinds are in one plan.
  - What is left is listed with its owner. Volumes that no VM needs are named with their size and never touched.
  - A run that was killed costs nothing but a second run, which finishes what it left.
  - The result is a failure unless no VM needs anything of the pools any more; it always says what was done and what remains.
  - Refused where a host that has one of the pools, or may have it, does not answer, because its VMs may use volumes that look unused from the others.
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
    details: A pool that no VM needs and that is in its state is left alone.
options:
  pools:
    description: The pools, by id. That of a pool which only one host has is C(host/pool). Several pools are planned together.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(evacuated) empties the pools; they are open to new volumes afterwards, unless they were in maintenance before.
      - V(maintenance) empties them and keeps them closed, with a note of who did it and O(why).
      - V(available) opens them again and moves nothing.
      - V(cancelled) asks the run that is emptying them to start nothing new and to end. It does not wait for that.
    type: str
    choices: [evacuated, maintenance, available, cancelled]
    default: evacuated
  type:
    description:
      - V(storage) leaves every VM on its host. V(host_storage) moves it along with its volumes, for VMs whose host has no other pool that takes them.
    type: str
    choices: [storage, host_storage]
    default: storage
  mode:
    description:
      - How VMs move that hold memory. With V(live) the guest goes on running. V(suspended) pauses it for the move, V(cold) stops it, moves it and starts it
        again; both need O(allow_downtime) for a VM that runs.
      - VMs that are off or saved are moved as they are, whatever is given here.
    type: str
    choices: [live, suspended, cold]
    default: live
  target_pools:
    description: Only these pools (ids) take the volumes. Without it, all pools of O(site) that the rules allow do.
    type: list
    elements: str
    default: []
  storage_class:
    description: A new class for what is moved. Without it, a volume in a local pool goes to a local pool, one in a shared pool to a shared one.
    type: str
    choices: [local, shared]
  volume_format:
    description: Format of what is moved. V(same) keeps it.
    type: str
    choices: [same, qcow2, raw]
    default: same
  flatten:
    description:
      - Whether a copy takes in what its volume rests on (a template, for example). Without it, a template in one of the pools may still be needed by the copies
        at their new places, and then the pool is not empty.
    type: bool
    default: true
  network_map:
    description: Networks of the destination by networks of the VM, where they have other names there. Only with O(type=host_storage).
    type: dict
  allow_downtime:
    description: The consent to stop or pause a VM that runs, where O(mode) or the timeout's action needs that.
    type: bool
    default: false
  earlier_results:
    description:
      - Files that O(result_file) of earlier runs has written. The expected durations are fitted to the moves that they tell of.
      - Without them, durations rest on defaults; a plan says so where they matter.
    type: list
    elements: path
    default: []
  select:
    description:
      - A JMESPath expression over the facts of one VM, listed in C(docs/facts.md); only VMs for which it is true are moved.
      - Volumes of other VMs that are left in the pool make the run a failure.
      - Needs jmespath.
    type: str
  order_by:
    description:
      - A JMESPath expression over the same facts that gives a number or a text. VMs are preferred in this order, smallest first.
      - With V(-) before it, largest first. VMs for which it gives nothing come last.
      - Needs jmespath.
    type: str
  target_hosts:
    description: Only these hosts take VMs. Only with O(type=host_storage).
    type: list
    elements: str
    default: []
  allow_partial:
    description: Whether to move what can be moved when some VMs cannot. Without it nothing is moved then.
    type: bool
    default: false
  on_failure:
    description:
      - How to leave a pool that could not be emptied. V(reopen) opens it to new volumes; V(keep_closed) keeps it closed.
      - A pool that was in maintenance before stays closed either way.
    type: str
    choices: [reopen, keep_closed]
    default: reopen
  orphans:
    description:
      - What to do with volumes that no VM needs. V(keep) names them with their size and does not touch them.
      - V(delete) deletes those that are listed in O(delete_orphans), and no others.
    type: str
    choices: [keep, delete]
    default: keep
  delete_orphans:
    description:
      - Ids of the volumes to delete with O(orphans=delete), as RV(remaining) of an earlier result has them. One that is gone already is well.
      - Refused, before anything is changed, where a VM needs one of them, as a disk, below a disk or in a drive, or where another volume rests on it. Every
        host that has the pool is asked again right before.
    type: list
    elements: str
    default: []
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
  - module: vmops.migration.host_evacuate
  - module: vmops.migration.vm_migrate
"""

EXAMPLES = r"""
- name: See the plan, and change nothing
  vmops.migration.pool_evacuate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 20000}
    pools: [kvm-b3/local]
    storage_class: shared
    state: maintenance
  check_mode: true
  register: preview

- name: Run exactly this plan, and keep the pool closed
  vmops.migration.pool_evacuate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 20000}
    pools: [kvm-b3/local]
    storage_class: shared
    state: maintenance
    approved_plan: "{{ preview.plan }}"
    why: the disk is failing, ticket 4712

- name: Open the pool again
  vmops.migration.pool_evacuate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 20000}
    pools: [kvm-b3/local]
    state: available

- name: See what it takes to give a filer back, without the system VMs, which only leave it while they are stopped
  vmops.migration.pool_evacuate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 20000}
    pools: [nfs-a]
    target_pools: [ceph-ssd]
    select: "!is_system"
    order_by: memory_mib
    state: maintenance
  check_mode: true
  register: filer
  failed_when: filer.unplaced | length > 0

- name: Ask a run that is emptying the pool to stop
  vmops.migration.pool_evacuate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 20000}
    pools: [nfs-a]
    state: cancelled
"""

RETURN = r"""
pools:
  description: The pools that were named.
  returned: success and failure, except for wrong options
  type: list
  elements: dict
  contains:
    id: {description: Id of the pool., type: str, sample: nfs-a}
    state: {description: "Its state now; in check mode, after the run.", type: str, sample: maintenance}
    state_before: {description: Its state before., type: str, sample: available}
    volumes_left: {description: How many volumes are left in it., type: int}
    volumes_needed: {description: How many of them a VM needs., type: int}
    bytes_left: {description: "What they take, as far as it is known.", type: int}
remaining:
  description: Volumes that are still in the pools, by the pools' own listing, with owner and reason. In check mode, after the run.
  returned: success and failure, except for wrong options
  type: list
  elements: dict
  contains:
    pool: {description: Id of the pool., type: str}
    volume: {description: Id of the volume., type: str}
    name: {description: Name of the volume., type: str}
    owner:
      description: "V(vm): a VM's disk; V(template): other images rest on it; V(iso): removable media; V(orphan): no VM of the pool's hosts uses it."
      type: str
      sample: orphan
    path: {description: Where it is., type: str}
    size_bytes: {description: "What it takes there; empty where that is not known.", type: int}
    vms: {description: Names of the VMs that need it., type: list, elements: str}
    volumes: {description: Ids of detached volumes that rest on it., type: list, elements: str}
    reasons: {description: "Why it is still there, and what to do.", type: list, elements: dict}
deleted:
  description: Ids of the volumes that were deleted; in check mode, that would be.
  returned: success and failure, except for wrong options
  type: list
  elements: str
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
    - Give it, or its C(plan_id), to O(vmops.migration.pool_evacuate#module:approved_plan) to run exactly what was approved.
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
    type: {description: Type of the migration., type: str, sample: storage}
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
    remaining: {description: Volumes in the pools that VMs still need., type: int}
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

from ..module_utils.interface.arguments import pool_spec
from ..module_utils.interface.failure import answer
from ..module_utils.interface.retiring import pool_evacuate


def main() -> None:
    """Options in, result out."""
    module = AnsibleModule(argument_spec=pool_spec(), supports_check_mode=True)
    answer(module, pool_evacuate)


if __name__ == "__main__":
    main()
