# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a destination has what a definition needs: emulator, machine, firmware, TPM, secrets, huge pages. Asks, and writes nothing."""

from __future__ import annotations

from typing import Any

from ...model.migration import Migration
from ...model.reason import Reason, hard, warning
from .connection import Connection
from .domain_needs import Needs, SecretNeed
from .domain_xml import Element, parse
from .library import libvirt


def unmet_needs(connection: Connection, migration: Migration, needs: Needs) -> tuple[Reason, ...]:
    """Every reason against the destination of that connection."""
    return (
        _emulation(connection, migration, needs)
        + tuple(reason for secret in needs.secrets for reason in _secret(connection, migration, secret))
        + _huge_pages(connection, migration, needs)
    )


def _emulation(connection: Connection, migration: Migration, needs: Needs) -> tuple[Reason, ...]:
    """libvirt tells what a QEMU can do for a machine; it refuses the question for one that it does not have."""
    vm, target = migration.vm_name, migration.target_host
    try:
        able = _domain_capabilities(connection, needs, needs.machine)
    except libvirt.libvirtError:
        try:
            _domain_capabilities(connection, needs, "")
        except libvirt.libvirtError as error:
            text = f"{target} has no emulator as {vm} needs it ({needs.emulator}, {needs.virt_type}, {needs.architecture}): {error.get_error_message()}."
            return (hard("emulator_missing", text, f"Install it on {target}, or choose another target."),)
        text = f"The emulator of {target} has no machine {needs.machine}, which {vm} is."
        return (hard("machine_type_unsupported", text, f"Update QEMU on {target}, or choose another target."),)
    return _firmware(migration, needs, able) + _tpm(migration, needs, able)


def _firmware(migration: Migration, needs: Needs, able: Element) -> tuple[Reason, ...]:
    known = {value.text for value in able.iterfind("./os/loader/value")}
    if not needs.loader or needs.loader in known:
        return ()
    text = f"Whether {migration.target_host} has the firmware {needs.loader} of {migration.vm_name} is unproven: its libvirt does not list it."
    return (warning("firmware_unproven", text, f"Look whether the file is on {migration.target_host}; without it the move fails, and the VM stays."),)


def _tpm(migration: Migration, needs: Needs, able: Element) -> tuple[Reason, ...]:
    backends = {value.text for value in able.iterfind("./devices/tpm/enum[@name='backendModel']/value")}
    if not needs.tpm_backend or needs.tpm_backend in backends:
        return ()
    text = f"{migration.target_host} has no TPM of the kind that {migration.vm_name} has ({needs.tpm_backend})."
    return (hard("tpm_unsupported", text, f"Install swtpm on {migration.target_host}, or choose another target."),)


def _domain_capabilities(connection: Connection, needs: Needs, machine: str) -> Element:
    key = ("domain_capabilities", needs.emulator, needs.architecture, machine, needs.virt_type)
    if key not in connection.cache:
        asked = (needs.emulator or None, needs.architecture or None, machine or None, needs.virt_type or None)
        connection.cache[key] = parse(connection.raw.getDomainCapabilities(*asked))
    return connection.cache[key]


def _secret(connection: Connection, migration: Migration, secret: SecretNeed) -> tuple[Reason, ...]:
    """The value itself is not asked for: it is nobody's business but the hypervisor's."""
    kinds = {"ceph": libvirt.VIR_SECRET_USAGE_TYPE_CEPH, "iscsi": libvirt.VIR_SECRET_USAGE_TYPE_ISCSI, "passphrase": libvirt.VIR_SECRET_USAGE_TYPE_VOLUME}
    try:
        if secret.uuid:
            connection.raw.secretLookupByUUIDString(secret.uuid)
        else:
            connection.raw.secretLookupByUsage(kinds.get(secret.kind, libvirt.VIR_SECRET_USAGE_TYPE_NONE), secret.usage)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SECRET:
            raise
        text = f"{migration.target_host} lacks the secret {secret} of {secret.of} of {migration.vm_name}."
        return (hard("secret_missing", text, "Define it there with its value (virsh secret-define, secret-set-value).", ("CAS-25",)),)
    return ()


def _huge_pages(connection: Connection, migration: Migration, needs: Needs) -> tuple[Reason, ...]:
    found: list[Reason] = []
    for size in needs.page_kib:
        there, free_kib = _free_kib(connection, size)
        if there and free_kib >= needs.memory_kib:
            continue
        what = f"huge pages of {there} KiB" if there else f"huge pages{f' of {size} KiB' if size else ''}"
        text = f"{migration.vm_name} lies in {what} and needs {needs.memory_kib // 1024} MiB of them; {migration.target_host} has {free_kib // 1024} MiB free."
        found.append(hard("hugepages_missing", text, f"Reserve more on {migration.target_host} (vm.nr_hugepages), or choose another target.", ("CAS-40",)))
    return tuple(found)


def _free_kib(connection: Connection, size_kib: int) -> tuple[int, int]:
    """The size of the pages that count (0: the host has none such) and how much memory is free in them. Size 0 asks for the smallest huge ones."""
    sizes = sorted({int(page.get("size", "0")) for page in parse(connection.raw.getCapabilities()).iterfind("./host/cpu/pages")})
    wanted = size_kib or next(iter(sizes[1:]), 0)
    if wanted not in sizes:
        return 0, 0
    cells: dict[int, dict[int, Any]] = connection.raw.getFreePages([wanted], -1, 1)
    return wanted, sum(int(count) for cell in cells.values() for count in cell.values()) * wanted
