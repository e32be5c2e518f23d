#!/usr/bin/python
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: moves one VM to another host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_migrate
short_description: Migrate a VM to another host, its storage to other pools, or both
version_added: 0.1.0
author: vmops.migration contributors (!UNKNOWN)
description:
  - Moves one VM to a host that is named, or to the best one that may take it; its volumes to pools that are named, or to suitable ones; or both.
  - The VM is never stopped because a move failed. Every move is verified on both ends before it counts as done.
  - A move of this VM that an earlier run left under way is waited for, verified and finished first.
extends_documentation_fragment:
  - vmops.migration.attributes
  - vmops.migration.site
  - vmops.migration.intent
  - vmops.migration.move
  - vmops.migration.move.targets
attributes:
  check_mode:
    support: full
    details: Plans on a fresh snapshot and asks the hypervisors for their own pre-checks; writes nothing.
  diff_mode:
    support: full
  idempotent:
    support: full
    details: A VM that is on its target with its volumes in their pools, or not on any host or pool that it shall leave, stays where it is.
options:
  vm:
    description: Name or id of the VM, or on vSphere its name with its folder. Where several VMs have the name, one of the others will do.
    type: str
    required: true
  state:
    description:
      - With V(migrated) the VM is where the other options want it, or is moved there.
      - With V(cancelled) the move of this VM that is under way is asked to end, whoever of this collection's runs has started it; the VM stays where it is.
        It is an error where somebody else's tool moves it, or where it runs on its destination already. A VM that is not being moved is left as it is.
    type: str
    choices: [migrated, cancelled]
    default: migrated
  target_host:
    description: The host to move it to. Without it the best one is chosen, and O(source_host) or O(avoid) says what to leave.
    type: str
  source_host:
    description:
      - The host to leave. A VM that is elsewhere stays there.
      - Together with O(target_host), a VM that is on neither of the two is an error.
    type: str
  source_pool:
    description:
      - With O(type=storage) or O(type=host_storage), the id of the pool that the VM's volumes shall leave. Its volumes in other pools stay where they are.
      - A VM without a volume in it stays as it is.
    type: str
  avoid:
    description: Hosts to leave and not to go to. A VM that is on none of them stays where it is, unless O(target_host) or O(source_host) says otherwise.
    type: list
    elements: str
    default: []
  allow_system_vm:
    description: Whether a system VM may be moved with this module. M(vmops.migration.systemvm_migrate) is the one that knows them.
    type: bool
    default: false
  require_explicit_target:
    description: Whether a move to another host is refused unless O(target_host) names it, as operators of Private Cloud Director are used to.
    type: bool
    default: false
seealso:
  - module: vmops.migration.find_migration_targets
  - module: vmops.migration.host_evacuate
"""

EXAMPLES = r"""
- name: Move a VM to a named host
  vmops.migration.vm_migrate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 60}
    vm: web-blog-1
    target_host: kvm-a3

- name: Get a VM off a host, wherever it fits best
  vmops.migration.vm_migrate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 60}
    vm: web-portal-1
    source_host: kvm-a3
    bandwidth_mib_s: 400
    timeout_seconds: 600

- name: Move a VM with its local disks to another host
  vmops.migration.vm_migrate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 600}
    vm: ci-one
    type: host_storage
    target_host: kvm-b1

- name: Ask a move that is under way to end
  vmops.migration.vm_migrate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 60}
    vm: ci-one
    state: cancelled

- name: Keep a VM away from two hosts, within its cluster
  vmops.migration.vm_migrate:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml", speed: 60}
    vm: api-login-1
    avoid: [kvm-a3, kvm-a4]
    scope: cluster
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

from ..module_utils.interface.arguments import migrate_spec
from ..module_utils.interface.failure import answer
from ..module_utils.interface.moving import vm_migrate


def main() -> None:
    """Options in, result out."""
    module = AnsibleModule(argument_spec=migrate_spec(), supports_check_mode=True)
    answer(module, vm_migrate)


if __name__ == "__main__":
    main()
