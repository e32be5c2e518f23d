# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about a site in the middle of an upgrade: ways without return, clusters of mixed releases, minimum versions."""

from __future__ import annotations

from .rule import NOTHING, Case, Finding, Findings, VmCase
from .software import newer_operating_system, version_key

HYPERV = "hyperv"
HYPERV_2012_R2 = "6.3"
_NAMED = 5


def no_return(case: Case) -> Findings:
    """A VM that went to a newer release does not come back: its return home would be refused (PCD-33)."""
    if not any(not finding.unknown for finding in newer_operating_system(case)):
        return NOTHING
    text = f"From host {case.host.name} VM {case.vm.name} has no way back to host {case.vm.host} before that is upgraded too: a return home skips it."
    return (Finding(text, f"Upgrade {case.vm.host} before the VM is to return."),)


def mixed_cluster(case: VmCase) -> Findings:
    """While the hosts of a cluster run several releases, moves are best left to the upgrade itself (PCD-35). Unknown releases are told by the place's rules."""
    source = case.source
    if source is None:
        return NOTHING
    releases = case.site.releases_by_cluster.get((source.zone, source.cluster), ())
    if len(releases) < 2:
        return NOTHING
    more = f" and {len(releases) - _NAMED} more" if len(releases) > _NAMED else ""
    text = f"The hosts of cluster {source.cluster or '(no name)'} run several releases: {'; '.join(releases[:_NAMED])}{more}."
    return (Finding(text, "Bring all hosts of the cluster to one release before you resume normal moves."),)


def hyperv_version(case: Case) -> Findings:
    """Storage motion and shared-nothing moves came with Windows Server 2012 R2 (CSH-27). Only for Hyper-V hosts; unknown versions are told elsewhere."""
    old = [
        (name, host.hypervisor_version)
        for name, host in ((case.vm.host, case.source), (case.host.name, case.host))
        if host is not None and host.hypervisor == HYPERV and host.hypervisor_version and version_key(host.hypervisor_version) < version_key(HYPERV_2012_R2)
    ]
    return tuple(
        Finding(f"Host {name} runs Hyper-V {version}, older than {HYPERV_2012_R2} (Windows Server 2012 R2).", f"Upgrade {name}.") for name, version in old
    )


def local_disks(case: VmCase) -> Findings:
    """VMs with disks on one host's own storage are what balancing and recovery fail at (PCD-18)."""
    pools = case.site.pool_by_id
    found = sorted({volume.pool for volume in case.vm.volumes if volume.pool in pools and pools[volume.pool].is_local})
    if not found:
        return NOTHING
    return (Finding(f"VM {case.vm.name} has disks on local storage: {', '.join(found)}.", "Move its disks to shared storage."),)
