#!/usr/bin/python
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: a snapshot of the site."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_info
short_description: Read a site's hosts, pools and VMs, as data and as a file for the simulator
version_added: 0.1.0
author: vmops.migration contributors (!UNKNOWN)
description:
  - Takes a snapshot of all hosts, storage pools and VMs with the facts that planning needs.
  - With O(dest) it also writes a file that O(site.simulator.world) loads, to rehearse tonight's plan on this afternoon's truth.
  - Hosts that do not answer are in the snapshot with the state V(unreachable).
extends_documentation_fragment:
  - vmops.migration.attributes
  - vmops.migration.site
attributes:
  check_mode:
    support: full
    details: The files of O(dest) and O(definitions_dest) are not written in check mode.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: The files are written each time; they count as changed when they say something else than before, the time apart.
options:
  hosts:
    description: Only these hosts are asked, and only they and their VMs are in the answer.
    type: list
    elements: str
    default: []
  vms:
    description: Only these VMs, by name or id, are read in full and are in the answer.
    type: list
    elements: str
    default: []
  dest:
    description: A file that gets the whole snapshot, as YAML where its name ends in C(.yml) or C(.yaml), else as JSON.
    type: path
  definitions_dest:
    description:
      - A file, readable by its owner only, that keeps what O(vmops.migration.host_evacuate#module:purpose=recover) needs on the day on which a host is dead,
        namely the hypervisor's own definition of every VM of the site (without passwords) and the facts of this snapshot.
      - Let a schedule write it, on a machine that does not depend on the hosts. A VM that was made, or moved, since then is not known from it.
      - A host that does not answer keeps what the file said of it before, so a schedule that goes on after a host has died does not lose its VMs.
      - It always holds the whole site, whatever O(hosts) and O(vms) say.
    type: path
seealso:
  - module: vmops.migration.host_evacuate
"""

EXAMPLES = r"""
- name: Read the whole site
  vmops.migration.site_info:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml"}
  register: info

- name: Show how many hosts and VMs there are
  ansible.builtin.debug:
    var: info.counts

- name: Keep a snapshot to rehearse on
  vmops.migration.site_info:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml"}
    dest: /tmp/site-today.json

- name: Keep the definitions of all VMs, for the day on which a host is dead
  vmops.migration.site_info:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml"}
    definitions_dest: /tmp/definitions.json

- name: The facts of one VM, as select and order_by see them
  vmops.migration.site_info:
    site:
      driver: simulator
      simulator: {world: "{{ playbook_dir }}/examples/site.yml"}
    vms: [db-orders-1]
  register: info
"""

RETURN = r"""
counts:
  description: How many there are.
  returned: success
  type: dict
  contains:
    hosts: {description: Hosts., type: int}
    hosts_unreachable: {description: Hosts that did not answer., type: int}
    pools: {description: Storage pools; one per host for local ones., type: int}
    vms: {description: VMs., type: int}
    vms_active: {description: VMs that hold memory on their host., type: int}
hosts:
  description: The hosts, in the form of C(docs/schema/site.schema.json) with every field present.
  returned: success
  type: list
  elements: dict
pools:
  description: The storage pools, in the same form.
  returned: success
  type: list
  elements: dict
vms:
  description: The VMs with the facts of C(docs/facts.md); for a large site only id, name, host, power state and memory.
  returned: success
  type: list
  elements: dict
detailed:
  description: Whether RV(vms) holds all facts.
  returned: success
  type: bool
links:
  description: Shared uplinks.
  returned: success
  type: list
  elements: dict
affinity_groups:
  description: Groups of VMs that should be together or apart.
  returned: success
  type: list
  elements: dict
limits:
  description: How many migrations may run at once.
  returned: success
  type: dict
driver:
  description: The kind of hypervisor.
  returned: success
  type: str
profile:
  description: The set of rules.
  returned: success
  type: str
taken_at:
  description: When the snapshot was taken, in epoch seconds.
  returned: success
  type: float
dest:
  description: The file that was written.
  returned: when O(dest) is given
  type: str
definitions_dest:
  description: The file of definitions that was written.
  returned: when O(definitions_dest) is given
  type: str
omitted:
  description: How many entries of a list were left out because the answer would have been too large.
  returned: when something was left out
  type: dict
code:
  description: A stable word for the error.
  returned: failure
  type: str
  sample: host_unknown
hint:
  description: What to do about the error.
  returned: failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.interface.arguments import info_spec
from ..module_utils.interface.describing import site_info
from ..module_utils.interface.failure import answer


def main() -> None:
    """Options in, result out."""
    module = AnsibleModule(argument_spec=info_spec(), supports_check_mode=True)
    answer(module, site_info)


if __name__ == "__main__":
    main()
