# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``site_info`` does: the snapshot as facts, and as a file that the simulator loads."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..drivers.driver import LIGHT, Scope
from ..model.codec import encode
from ..model.site import Site
from ..model.vm import Vm
from .bounds import size_of
from .definitions import keep_definitions
from .files import as_text, read_data, write_text
from .opening import open_site, unique
from .ranges import check_numbers
from .results import full, site_warnings, warning_texts
from .selection import facts_of

DETAILS_BYTES = 200_000
"""Above this size a result holds only the light facts of each VM; the file has them all."""


def site_info(module: AnsibleModule) -> dict[str, Any]:
    """The module's result. Raises InputError for unknown hosts and VMs and for a file that cannot be written, and the driver's errors."""
    params = module.params
    check_numbers(params)
    hosts, vms = unique(params["hosts"], "hosts"), unique(params["vms"], "vms")
    with open_site(params) as driver:
        site = driver.snapshot(_scope(hosts, vms))
        if not site.host_by_name.keys() >= set(hosts):
            _check_known(driver.snapshot(LIGHT), hosts)  # only a look at all hosts can tell which ones there are
        kept = keep_definitions(params["definitions_dest"], driver, check_mode=module.check_mode) if params["definitions_dest"] else None
    site = _narrowed(site, hosts, vms)
    result = _facts(site)
    if kept is not None:
        changed, warnings = kept
        result.update(definitions_dest=params["definitions_dest"], changed=changed, warnings=result["warnings"] + warning_texts(warnings))
    if params["dest"]:
        result["dest"] = params["dest"]
        result["changed"] |= _write(Path(params["dest"]).expanduser(), site, check_mode=module.check_mode)
    return result


def _scope(hosts: tuple[str, ...], vms: tuple[str, ...]) -> Scope:
    """Everything; or only these hosts; or, among them, only these VMs in full."""
    only = frozenset(hosts) or None
    return Scope(vms=frozenset(vms), hosts=frozenset(), only_hosts=only) if vms else Scope(only_hosts=only)


def _check_known(site: Site, hosts: tuple[str, ...]) -> None:
    """Raise InputError (``host_unknown``), with the names that there are, for a host that the site does not have."""
    for name in hosts:
        site.find_host(name, "hosts")


def _narrowed(site: Site, hosts: tuple[str, ...], vms: tuple[str, ...]) -> Site:
    if vms:
        site = dataclasses.replace(site, vms=tuple(site.find_vm(name, "vms") for name in vms))
    if hosts:
        site = dataclasses.replace(site, hosts=tuple(host for host in site.hosts if host.name in hosts), vms=tuple(vm for vm in site.vms if vm.host in hosts))
    return site


def _facts(site: Site) -> dict[str, Any]:
    vms = [facts_of(vm) for vm in site.vms]
    detailed = size_of(vms) <= DETAILS_BYTES
    return {
        "changed": False,
        "driver": site.driver,
        "profile": site.profile,
        "taken_at": site.taken_at,
        "counts": _counts(site),
        "hosts": full(site.hosts),
        "pools": full(site.pools),
        "vms": vms if detailed else [_light(vm) for vm in site.vms],
        "detailed": detailed,
        "links": full(site.links),
        "affinity_groups": full(site.affinity_groups),
        "limits": full(site.limits),
        "warnings": warning_texts(site_warnings(site)),
    }


def _counts(site: Site) -> dict[str, int]:
    return {
        "hosts": len(site.hosts),
        "hosts_unreachable": sum(host.state.value == "unreachable" for host in site.hosts),
        "pools": len(site.pools),
        "vms": len(site.vms),
        "vms_active": sum(vm.is_active for vm in site.vms),
    }


def _light(vm: Vm) -> dict[str, Any]:
    return {"id": vm.id, "name": vm.name, "host": vm.host, "power_state": vm.power_state.value, "memory_mib": vm.memory_mib}


def _write(path: Path, site: Site, *, check_mode: bool) -> bool:
    """Write the snapshot, whole or not at all. True where it says something else than the file did before, the time apart."""
    data = encode(site)
    changed = not path.exists() or _without_time(read_data(path, "dest")) != _without_time(data)
    if check_mode:
        return changed
    write_text(path, as_text(data, path), "dest")
    return changed


def _without_time(data: Any) -> Any:
    return {key: value for key, value in data.items() if key != "taken_at"} if isinstance(data, dict) else data
