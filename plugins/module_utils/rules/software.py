# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the software of both ends: kind and version of hypervisor and operating system."""

from __future__ import annotations

import functools
import re

from ..model.host import Host
from .rule import NOTHING, Case, Finding, Findings, lacks

_QEMU = frozenset({"qemu", "kvm"})


@functools.lru_cache(maxsize=1024)
def version_key(text: str) -> tuple[int, ...]:
    """The numbers of a dotted version, without zeros at its end, so that 9.0 and 9.0.0 are equal."""
    numbers = [int(part) for part in re.findall(r"\d+", text)]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def runs_qemu(host: Host) -> bool:
    """True for hosts whose hypervisor is QEMU or KVM, by either name."""
    return host.hypervisor.lower() in _QEMU


def hypervisor_kind(case: Case) -> Findings:
    """Both ends must run the same kind of hypervisor."""
    source, host = case.source, case.host
    if source is None or not source.hypervisor:
        return lacks(f"site.hosts.{case.vm.host}.hypervisor")
    if not host.hypervisor:
        return lacks(f"site.hosts.{host.name}.hypervisor")
    if source.hypervisor == host.hypervisor:
        return NOTHING
    return (Finding(f"VM {case.vm.name} runs under {source.hypervisor}, host {host.name} runs {host.hypervisor}.", f"Choose a host with {source.hypervisor}."),)


def older_hypervisor(case: Case) -> Findings:
    """A destination with an older hypervisor may not understand the guest's state (PCD-29)."""
    known = _versions(case)
    if isinstance(known, Finding):
        return (known,)
    source, target = known
    if version_key(target) >= version_key(source):
        return NOTHING
    text = f"Host {case.host.name} has {case.host.hypervisor or 'hypervisor'} {target}, older than {source} on host {case.vm.host}."
    return (Finding(text, f"Upgrade {case.host.name} first, or choose a host with {source} or newer."),)


def newer_hypervisor(case: Case) -> Findings:
    """To a newer hypervisor the way may be one-way (PCD-33, PCD-34). What is unknown is told by the rule about older ones."""
    known = _versions(case)
    if isinstance(known, Finding) or version_key(known[1]) <= version_key(known[0]):
        return NOTHING
    here = f"Host {case.host.name} has {case.host.hypervisor or 'hypervisor'} {known[1]}"
    text = f"{here}, newer than {known[0]} on host {case.vm.host}: the way back may be refused."
    return (Finding(text, "Upgrade the remaining hosts soon."),)


def _versions(case: Case) -> tuple[str, str] | Finding:
    source, host = case.source, case.host
    if source is None or source.hypervisor_version is None:
        return lacks(f"site.hosts.{case.vm.host}.hypervisor_version")[0]
    if host.hypervisor_version is None:
        return lacks(f"site.hosts.{host.name}.hypervisor_version")[0]
    return source.hypervisor_version, host.hypervisor_version


def operating_system(case: Case) -> Findings:
    """Both hosts must run the same release of the same operating system, one step back never (PCD-10, PCD-13, PCD-30, PCD-36)."""
    known = _releases(case)
    if isinstance(known, Finding):
        return (known,)
    source, target = known
    if source[0] == target[0] and version_key(source[1]) < version_key(target[1]):
        return NOTHING  # newer: newer_operating_system has its own say
    if source[0] == target[0] and version_key(source[1]) == version_key(target[1]):
        return NOTHING
    text = f"Host {case.host.name} runs {' '.join(target)}, host {case.vm.host} runs {' '.join(source)}."
    return (Finding(text, f"Choose a host with {' '.join(source)}."),)


def newer_operating_system(case: Case) -> Findings:
    """An upgrade on the way is one-way (PCD-33, PCD-34). What is unknown is told by the rule about equal systems."""
    known = _releases(case)
    if isinstance(known, Finding):
        return NOTHING
    source, target = known
    if source[0] != target[0] or version_key(target[1]) <= version_key(source[1]):
        return NOTHING
    text = f"Host {case.host.name} runs {' '.join(target)}, newer than {' '.join(source)} on host {case.vm.host}: the VM could not come back."
    return (Finding(text, "Consent to one-way moves during an upgrade, or choose a host of the same release."),)


def _releases(case: Case) -> tuple[tuple[str, str], tuple[str, str]] | Finding:
    found = []
    for name, host in ((case.vm.host, case.source), (case.host.name, case.host)):
        if host is None or not host.os_name:
            return lacks(f"site.hosts.{name}.os_name")[0]
        if not host.os_version:
            return lacks(f"site.hosts.{name}.os_version")[0]
        found.append((host.os_name, host.os_version))
    return found[0], found[1]
