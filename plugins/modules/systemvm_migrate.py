#!/usr/bin/python
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: a system VM goes to another host or pool of its pod."""

from __future__ import annotations

DOCUMENTATION = r"""
module: systemvm_migrate
short_description: Migrate a system VM within its pod
version_added: 0.1.0
author: vmops.migration contributors (!UNKNOWN)
description:
  - Moves a system VM (secondary storage, console proxy, router, load balancer), as managers of virtual machines run them for themselves.
  - While it runs it goes live to another host, and its disks along with it where that host does not reach them. While it is off it goes to another pool.
  - It never leaves its pod, whatever is consented to, because its addresses belong to the pod.
  - Which VMs are system VMs, the hypervisor's metadata say, or C(kind) of the VM in O(site).
extends_documentation_fragment:
  - vmops.migration.attributes
  - vmops.migration.site
  - vmops.migration.move
attributes:
  check_mode:
    support: full
    details: Plans on a fresh snapshot and asks the hypervisors for their own pre-checks; writes nothing.
  diff_mode:
    support: full
  idempotent:
    support: full
    details: A system VM that is on its target, or not on the host or pool that it shall leave, stays where it is.
options:
  vm:
    description: Name or id of the system VM. A user's VM is refused.
    type: str
    required: true
  target_host:
    description: The host to go to, for one that runs. Exactly one of O(target_host), O(target_pool) and O(auto_select) is to be given.
    type: str
  target_pool:
    description: Id of the pool to go to, for one that is off.
    type: str
  auto_select:
    description:
      - Whether to choose the target. That is so where neither O(target_host) nor O(target_pool) is given, unless it is V(false).
      - O(source_host) or O(source_pool) then says what to leave.
    type: bool
  source_host:
    description: The host to leave, for one that runs. A system VM that is elsewhere stays there.
    type: str
  source_pool:
    description: Id of the pool to leave, for one that is off. A system VM without a volume in it stays as it is.
    type: str
  consents:
    description:
      - Names of soft refusals that are consented to; each then only warns.
      - A reason that can be consented to names its consent in C(overridable).
    type: list
    elements: str
    default: []
seealso:
  - module: vmops.migration.vm_migrate
  - module: vmops.migration.find_migration_targets
"""

EXAMPLES = r"""
- name: Get a router off its host
  vmops.migration.systemvm_migrate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 600}
    vm: r-23-VM
    source_host: kvm-b2

- name: Move a router to a named host of its pod
  vmops.migration.systemvm_migrate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 600}
    vm: r-24-VM
    target_host: kvm-b4
"""

RETURN = r"""
vm:
  description: The VM as it is now.
  returned: success and failure, except for wrong options
  type: dict
  contains:
    id: {description: Id of the VM., type: str}
    name: {description: Name of the VM., type: str}
    host: {description: Host where it is., type: str}
    power_state: {description: Its power state., type: str, sample: running}
    memory_mib: {description: Its memory in MiB., type: int}
kind:
  description: Which kind of system VM it is.
  returned: success
  type: str
  sample: router
volumes:
  description: Its volumes with their pools as they are now.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Id of the volume., type: str}
    device: {description: The VM's name for it., type: str, sample: vda}
    path: {description: Its path on the hosts., type: str}
    pool: {description: Id of the pool that it is in., type: str, sample: nfs-b}
plan:
  description:
    - The plan, in the form of C(docs/schema/plan.schema.json) with every field present.
    - Give it, or its C(plan_id), to O(vmops.migration.host_evacuate#module:approved_plan) to run exactly what was approved.
  returned: success and failure, except for wrong options
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

from ..module_utils.interface.arguments import system_vm_spec
from ..module_utils.interface.failure import answer
from ..module_utils.interface.system_vms import systemvm_migrate


def main() -> None:
    """Options in, result out."""
    module = AnsibleModule(argument_spec=system_vm_spec(), supports_check_mode=True)
    answer(module, systemvm_migrate)


if __name__ == "__main__":
    main()
