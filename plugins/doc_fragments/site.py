# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option ``site``, the same for every module."""

from __future__ import annotations


class ModuleDocFragment:
    """How to reach the hypervisors, and what they cannot know."""

    DOCUMENTATION = r"""
options:
  site:
    description:
      - All that one playbook looks after, how to reach it, and the facts that the hypervisors cannot know.
      - Set it once for all modules, in C(module_defaults) for C(group/vmops.migration.all).
    type: dict
    required: true
    suboptions:
      driver:
        description:
          - The kind of hypervisor, V(libvirt), V(vsphere) or V(simulator).
          - V(libvirt) is KVM through libvirt and needs libvirt-python and defusedxml.
          - V(vsphere) is vCenter, or a single ESXi host, and needs pyvmomi.
          - V(simulator) is the embedded simulated site, to rehearse and to try things out.
        type: str
        required: true
      profile:
        description:
          - The set of rules that says what may move where.
          - V(generic) holds only what is physically or technically so.
        type: str
        default: generic
      hosts:
        description:
          - Every host by its name, with how to reach it and facts that override what the hypervisor says. Required for O(site.driver=libvirt).
          - C(uri) is how the controller reaches the host, such as V(qemu+ssh://root@kvm1/system).
          - C(peer_uri) is how other hosts reach it for a migration. Default V(qemu+tls://NAME/system) with the host's name.
          - C(migration_address) is its address on the migration network.
          - C(migration_link_mbps), C(management_link_mbps) and C(storage_link_mbps) are the speeds of its links.
          - C(cluster), C(pod) and C(zone) say where it stands; C(tags) is a list.
          - C(memory_mib) is what VMs may use in all, if less than the machine has; C(reserved_memory_mib) is kept free of VMs; C(max_vms) caps their number.
          - C(os_name), C(os_version), C(cpu_features) (list) and C(networks) (list) are taken instead of what the hypervisor says.
          - C(restart_pending) says that its hypervisor was upgraded and not yet restarted.
          - C(max_hardware_version) (14 for vmx-14) and C(has_vmotion) are for ESXi hosts.
          - C(hugepage_kib) is the size of the huge pages that it gives to VMs, V(0) for none.
        type: dict
      pools:
        description:
          - Storage pools by name (or by id, C(host/name), for one that belongs to a host).
          - C(tags) (list), C(scope) (V(host), V(cluster) or V(zone)), C(cluster), C(pod), C(zone), and C(identity), which is equal for equal storage.
        type: dict
      vms:
        description:
          - VMs by name or id.
          - C(affinity) is a list of memberships with C(group), C(kind) (V(affinity) or V(anti_affinity)) and C(required).
          - C(policy) holds C(pinned) (never moved), C(allow_downtime), C(priority) and C(note).
          - C(kind) is V(user) or one of the four kinds of system VM. C(labels) and C(required_host_tags) are lists.
          - C(dirty_rate_mib_s) and C(working_set_mib) say how the VM writes its memory, for estimates.
          - C(managed_by) names a manager that owns the VM, such as V(nova), or is empty where none does. C(hardware_version) is that of a vSphere VM.
          - C(hugepage_kib) is the size of the memory pages that the VM is made of, V(0) for ordinary ones.
        type: dict
      links:
        description:
          - Shared uplinks by name, each with C(hosts) (list of the hosts behind it) and C(bandwidth_mbps) (megabit per second in each direction).
        type: dict
      limits:
        description:
          - How many migrations may run at once.
          - C(migrations_per_host), C(migrations_per_link), C(migrations_per_pool); other figures for single ones by name in C(hosts), C(links), C(pools).
          - C(storage_migration_units) is how many of a host's a migration takes that copies disks.
          - With O(site.driver=vsphere) the defaults are vSphere's own.
        type: dict
      overlay_file:
        description:
          - A JSON or YAML file with C(hosts), C(pools), C(vms), C(links) and C(limits) as above, for large overlays.
          - What is given as an option wins over the file, field by field.
          - The module reads it where it runs. Prefer an absolute path, such as one that begins with V({{ playbook_dir }}).
        type: path
      simulator:
        description: Only for O(site.driver=simulator).
        type: dict
        suboptions:
          world:
            description: The world file, in the form that M(vmops.migration.site_info) writes.
            type: path
            required: true
          state_file:
            description: Where the world's state is kept between runs. Default is the name of the world file with V(.state.json) at its end.
            type: path
          speed:
            description: How many simulated seconds pass in a real one.
            type: float
            default: 1.0
      vsphere:
        description: Only for O(site.driver=vsphere). The vCenter server that manages the hosts, or a single ESXi host.
        type: dict
        suboptions:
          hostname:
            description: Its name or address. Without it the value of the environment variable E(VMWARE_HOST) is taken.
            type: str
          username:
            description: The user. Without it the value of the environment variable E(VMWARE_USER) is taken.
            type: str
          password:
            description: The user's password. Without it the value of the environment variable E(VMWARE_PASSWORD) is taken.
            type: str
          port:
            description: The port of its API. Without it the value of the environment variable E(VMWARE_PORT) is taken.
            type: int
            default: 443
          validate_certs:
            description:
              - Whether its certificate has to be trusted and has to bear its name. Without it the value of the environment variable E(VMWARE_VALIDATE_CERTS)
                is taken.
              - V(false) lets anybody on the way read the password. Prefer O(site.vsphere.ca_path).
            type: bool
            default: true
          ca_path:
            description: A file with the certificates (PEM) of the authorities that are trusted. Without it those of the system are.
            type: path
          read_tags:
            description:
              - Whether vCenter's tags are read too, as tags of hosts and pools and labels of VMs. They come over its REST API, with one question for each tag.
            type: bool
            default: false
      connect_timeout_seconds:
        description: How long a host may take to answer before it counts as unreachable.
        type: float
        default: 15.0
"""
