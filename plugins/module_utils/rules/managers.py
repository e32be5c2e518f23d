# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about other managers: whoever owns a VM believes to know where it runs, and acts on that."""

from __future__ import annotations

from .rule import NOTHING, Finding, Findings, VmCase

# Name in ``Vm.managed_by`` -> the words for it, and what it offers for a move.
MANAGERS = {
    "nova": ("OpenStack Nova", "openstack server migrate"),
    "ovirt": ("oVirt", "its own migration (ovirt_vm)"),
    "cloudstack": ("CloudStack", "migrateVirtualMachine"),
    "proxmox": ("Proxmox VE", "qm migrate"),
    "kubevirt": ("KubeVirt", "virtctl migrate"),
    "harvester": ("Harvester", "its own migration"),
    "opennebula": ("OpenNebula", "onevm migrate"),
    "vcenter_extension": ("an extension of vCenter", "the extension's own tools"),
    "com.vmware.vim.eam": ("vCenter's ESX Agent Manager", "vCenter's own maintenance mode; retreat mode of the cluster for vCLS"),
    "failover_cluster": ("a failover cluster", "Move-ClusterVirtualMachineRole"),
}


def managed_by_other(case: VmCase) -> Findings:
    """A VM that another manager owns is moved by that manager: it would look for the VM in vain, start it a second time, or move it back."""
    vm = case.vm
    if not vm.managed_by:
        return NOTHING
    name, way = MANAGERS.get(vm.managed_by, (vm.managed_by, "its own tools"))
    text = f"VM {vm.name} belongs to {name}, which would not know where it is after the move."
    return (Finding(text, f"Move it by {name} ({way}), or give the consent allow_managed if that manager is out of use."),)
