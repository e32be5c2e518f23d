#!/usr/bin/python
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: where one VM or one volume may go, and why not elsewhere."""

from __future__ import annotations

DOCUMENTATION = r"""
module: find_migration_targets
short_description: Find hosts or pools that a VM or a volume can migrate to, with the reasons for those that it cannot
version_added: 0.1.0
author: vmops.migration contributors (!UNKNOWN)
description:
  - Asks for one VM which hosts would take it, and says of every other host why not.
  - Suitable hosts come first, the best one with rank 1, each with what the move would cost.
  - With O(volume), it asks for that volume which pools would take it.
  - With O(type=host_storage), each host says into which pool each volume would go.
  - Reads only.
extends_documentation_fragment:
  - vmops.migration.attributes
  - vmops.migration.site
  - vmops.migration.intent
  - vmops.migration.move.targets
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
options:
  vm:
    description:
      - Name or id of the VM, or on vSphere its name with its folder. Where several VMs have the name, one of the others will do.
      - One of O(vm) and O(volume) is required.
    type: str
  volume:
    description:
      - One disk of O(vm), by its id or by the VM's name for it, such as V(vda). Pools are the answer then, not hosts.
      - Without O(vm), a volume that is no VM's disk, by the id of its pool and its name, such as V(nfs-a/backup.qcow2) or V(kvm1/local/backup.qcow2).
    type: str
  target_hosts:
    description: Only these hosts come into question. Without it, all hosts of O(site) do.
    type: list
    elements: str
    default: []
  include_excluded:
    description:
      - Whether to list every pool of the site with its reasons. Otherwise, pools of other clusters and other hosts are left out for the disk of a VM that
        runs.
    type: bool
    default: false
  only_suitable:
    description: Whether to leave out the hosts or pools that will not do.
    type: bool
    default: false
  limit:
    description: How many targets to return at most. RV(suitable_count) and RV(candidate_count) always count all.
    type: int
seealso:
  - module: vmops.migration.vm_migrate
  - module: vmops.migration.host_evacuate
"""

EXAMPLES = r"""
- name: Where could this database go?
  vmops.migration.find_migration_targets:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml"}
    vm: db-orders-1
  register: found

- name: Show the suitable hosts, the best one first
  ansible.builtin.debug:
    var: found.suitable_hosts

- name: The three best hosts of the same cluster
  vmops.migration.find_migration_targets:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml"}
    vm: web-shop-1
    scope: cluster
    only_suitable: true
    limit: 3

- name: To which hosts of another cluster, with all its disks?
  vmops.migration.find_migration_targets:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml"}
    vm: web-shop-1
    type: host_storage
    only_suitable: true
    limit: 3

- name: Which pools would take its first disk?
  vmops.migration.find_migration_targets:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml"}
    vm: web-shop-1
    volume: vda
    include_excluded: true

- name: Why can this VM not move?
  vmops.migration.find_migration_targets:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml"}
    vm: app-legacy-1
  register: found

- name: Show how many hosts each reason rules out
  ansible.builtin.debug:
    var: found.reason_counts
"""

RETURN = r"""
vm:
  description: The VM; null for a volume that is no VM's disk.
  returned: success
  type: dict
  contains:
    id: {description: Id of the VM., type: str}
    name: {description: Name of the VM., type: str}
    host: {description: Host where it is., type: str}
    power_state: {description: Its power state., type: str, sample: running}
    memory_mib: {description: Its memory in MiB., type: int}
volume:
  description: The volume that was asked for.
  returned: with O(volume)
  type: dict
pools:
  description: Candidate pools; suitable ones first, by rank.
  returned: with O(volume)
  type: list
  elements: dict
  contains:
    pool: {description: Id of the pool., type: str, sample: nfs-a}
    suitable_for_migration: {description: Whether the volume can go there., type: bool}
    reasons: {description: "All reasons against it, and warnings, as in RV(targets).", type: list, elements: dict}
    rank: {description: From 1 over the suitable pools; 0 for the others., type: int}
    score: {description: Share of the pool that stays free after the move., type: float}
    name: {description: The hypervisor's name of the pool., type: str}
    kind: {description: Kind of the pool., type: str, sample: netfs}
    scope: {description: Who can mount it., type: str, sample: cluster}
    state: {description: State of the pool., type: str}
    zone: {description: Zone of the pool., type: str}
    pod: {description: Pod of the pool., type: str}
    cluster: {description: Cluster of the pool., type: str}
    tags: {description: Tags of the pool., type: list, elements: str}
    capacity_bytes: {description: Its size., type: int}
    free_bytes: {description: What is free there., type: int}
    source_pool: {description: Where the volume is now., type: str}
    worker_host: {description: The host that copies a volume which is no VM's disk., type: str}
    network: {description: The network that carries the copy., type: str, sample: storage}
    networks_used: {description: All networks that the move uses; none where no host could make it., type: list, elements: str, sample: [storage]}
    bytes_to_copy: {description: What the move copies., type: int}
    expected_seconds: {description: How long the move is expected to take., type: float}
suitable_pools:
  description: Ids of all suitable pools, the best one first.
  returned: with O(volume)
  type: list
  elements: str
targets:
  description: Candidate hosts; suitable ones first, by rank.
  returned: without O(volume)
  type: list
  elements: dict
  contains:
    host: {description: Name of the host., type: str, sample: kvm-a3}
    suitable_for_migration: {description: Whether the VM can migrate to it., type: bool}
    reasons:
      description: All reasons against it, and warnings.
      type: list
      elements: dict
      contains:
        code: {description: A stable word for programs., type: str, sample: insufficient_memory}
        severity: {description: V(hard) always forbids; V(soft) warns or waits for a consent., type: str}
        message: {description: The reason in a sentence., type: str}
        hint: {description: What to do about it., type: str}
        overridable: {description: The consent that turns a soft refusal into a warning. Empty for none., type: str}
        rules: {description: Numbers of the rules in the catalogue., type: list, elements: str}
    rank: {description: From 1 over the suitable hosts; 0 for the others., type: int}
    score: {description: Share of memory that stays free after the move., type: float}
    zone: {description: Zone of the host., type: str}
    pod: {description: Pod of the host., type: str}
    cluster: {description: Cluster of the host., type: str}
    state: {description: State of the host., type: str, sample: up}
    hypervisor: {description: Kind of hypervisor., type: str}
    hypervisor_version: {description: Version of the hypervisor., type: str}
    host_tags: {description: Tags of the host., type: list, elements: str}
    has_enough_capacity: {description: Whether its free memory suffices., type: bool}
    memory_total_mib: {description: Memory for VMs in all., type: int}
    memory_used_mib: {description: Memory that VMs use., type: int}
    memory_free_mib: {description: Memory that is free before the move., type: int}
    requires_storage_motion: {description: Whether disks would have to be copied too., type: bool}
    network: {description: The network that the memory takes., type: str, sample: migration}
    networks_used: {description: All networks that the move uses., type: list, elements: str}
    volume_map: {description: Each volume's pool before and after., type: list, elements: dict}
    bytes_to_copy: {description: What the move copies., type: int}
    expected_seconds: {description: How long the move is expected to take., type: float}
    expected_downtime_ms: {description: The expected pause at the switch., type: float}
    why: {description: Why it has this rank., type: str}
suitable_hosts:
  description: Names of all suitable hosts, the best one first.
  returned: without O(volume)
  type: list
  elements: str
suitable_count:
  description: How many hosts or pools are suitable.
  returned: success
  type: int
candidate_count:
  description: How many hosts or pools came into question.
  returned: success
  type: int
reason_counts:
  description: How many hosts or pools each code of a forbidding reason rules out.
  returned: success
  type: dict
  sample: {same_host: 1, outside_scope: 8}
omitted:
  description: How many entries of a list were left out because the answer would have been too large.
  returned: when something was left out
  type: dict
code:
  description: A stable word for the error.
  returned: failure
  type: str
  sample: vm_unknown
hint:
  description: What to do about the error.
  returned: failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.interface.arguments import find_spec
from ..module_utils.interface.failure import answer
from ..module_utils.interface.finding import find_migration_targets


def main() -> None:
    """Options in, result out."""
    module = AnsibleModule(argument_spec=find_spec(), required_one_of=[("vm", "volume")], supports_check_mode=True)
    answer(module, find_migration_targets)


if __name__ == "__main__":
    main()
