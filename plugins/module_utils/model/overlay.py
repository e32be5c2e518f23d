# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The overlay: what the operator knows and the hypervisor does not, laid over a snapshot."""

from __future__ import annotations

import dataclasses
from typing import Any

from .host import Host, HostNetwork, HostState
from .options import HostOptions, PoolOptions, SiteOptions, VmOptions
from .pool import Pool
from .reason import Reason, warning
from .site import Limits, Link, Site
from .vm import AffinityGroup, AffinityKind, Vm

_HOST_FACTS = (
    "migration_address",
    "migration_link_mbps",
    "management_link_mbps",
    "cluster",
    "pod",
    "zone",
    "os_name",
    "os_version",
    "memory_mib",
    "reserved_memory_mib",
    "max_vms",
    "cpu_features",
    "max_hardware_version",
    "has_vmotion",
    "restart_pending",
    "storage_link_mbps",
    "hugepage_kib",
)
_POOL_FACTS = ("scope", "cluster", "pod", "zone", "identity")
_VM_FACTS = ("policy", "kind", "dirty_rate_mib_s", "working_set_mib", "managed_by", "hardware_version", "hugepage_kib")


def apply_overlay(site: Site, options: SiteOptions, *, is_whole: bool = True) -> Site:
    """The site with every fact that the options give laid over what the driver read. Sets of tags and labels are united.

    ``is_whole`` is False for a snapshot of some hosts only: what it lacks may be elsewhere, and is not told as unused.
    """
    vms = tuple(_vm(vm, options) for vm in site.vms)
    links = {link.name: link for link in site.links}
    links.update({name: Link(name, frozenset(link.hosts), link.bandwidth_mbps) for name, link in options.links.items()})
    limits = options.limits if options.limits != Limits() else site.limits
    hosts = tuple(_host(host, options.hosts.get(host.name)) for host in site.hosts)
    pools = _pools_of_renamed(site.pools, tuple(zip(site.hosts, hosts, strict=True))) if options.hosts else site.pools
    return dataclasses.replace(
        site,
        driver=options.driver,
        profile=options.profile,
        hosts=hosts,
        pools=tuple(_pool(pool, options.pools.get(pool.id) or options.pools.get(pool.name)) for pool in pools),
        vms=vms,
        links=tuple(links.values()),
        limits=limits,
        affinity_groups=_groups(site, vms, options),
        warnings=site.warnings + (_unused(site, vms, options) if is_whole else ()),
    )


def _given(options: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def _host(host: Host, options: HostOptions | None) -> Host:
    if options is None:
        return host
    facts = _given(options, _HOST_FACTS)
    if options.networks is not None:
        facts["networks"] = tuple(HostNetwork(name) for name in options.networks)
    return dataclasses.replace(host, tags=host.tags | options.tags, **facts)


def _pools_of_renamed(pools: tuple[Pool, ...], hosts: tuple[tuple[Host, Host], ...]) -> tuple[Pool, ...]:
    """Where the hypervisor itself says in which zone and cluster a pool is, and the operator calls those of all its hosts otherwise, that holds for it too.

    ``hosts`` are pairs: as the driver read them, and with the overlay.
    """
    return tuple(dataclasses.replace(pool, zone=_new_name(pool, "zone", hosts), cluster=_new_name(pool, "cluster", hosts)) for pool in pools)


def _new_name(pool: Pool, name: str, hosts: tuple[tuple[Host, Host], ...]) -> str:
    told: str = getattr(pool, name)
    new = {getattr(after, name) for before, after in hosts if pool.id in before.pools and getattr(before, name) == told}
    return new.pop() if told and len(new) == 1 else told


def _pool(pool: Pool, options: PoolOptions | None) -> Pool:
    if options is None:
        return pool
    return dataclasses.replace(pool, tags=pool.tags | options.tags, **_given(options, _POOL_FACTS))


def _options_of(vm: Vm, options: SiteOptions) -> VmOptions | None:
    return options.vms.get(vm.id) or options.vms.get(vm.name)


def _vm(vm: Vm, options: SiteOptions) -> Vm:
    own = _options_of(vm, options)
    if own is None:
        return vm
    return dataclasses.replace(
        vm,
        labels=vm.labels | own.labels,
        required_host_tags=vm.required_host_tags | own.required_host_tags,
        **_given(own, _VM_FACTS),
    )


def _groups(site: Site, vms: tuple[Vm, ...], options: SiteOptions) -> tuple[AffinityGroup, ...]:
    groups = {group.name: group for group in site.affinity_groups}
    for vm in vms:
        own = _options_of(vm, options)
        for membership in own.affinity if own else ():
            group = groups.get(membership.group) or AffinityGroup(membership.group, AffinityKind(membership.kind), required=membership.required)
            groups[membership.group] = dataclasses.replace(group, vms=group.vms | {vm.id})
    return tuple(groups.values())


def _unused(site: Site, vms: tuple[Vm, ...], options: SiteOptions) -> tuple[Reason, ...]:
    """An overlay for something that does not exist is most often a typing error: say so. A host that is silent may have what is missed."""
    hosts = {host.name for host in site.hosts}
    pools = {pool.id for pool in site.pools} | {pool.name for pool in site.pools}
    known_vms = {vm.id for vm in vms} | {vm.name for vm in vms}
    links = {link.name for link in site.links} | set(options.links)
    missing = [("site.hosts", name) for name in options.hosts if name not in hosts]
    missing += [("site.limits.hosts", name) for name in options.limits.hosts if name not in hosts]
    missing += [("site.limits.links", name) for name in options.limits.links if name not in links]
    missing += [(f"site.links.{link}.hosts", name) for link, given in options.links.items() for name in given.hosts if name not in hosts]
    if all(host.state is not HostState.UNREACHABLE for host in site.hosts):
        missing += [("site.pools", name) for name in options.pools if name not in pools]
        missing += [("site.limits.pools", name) for name in options.limits.pools if name not in pools]
        missing += [("site.vms", name) for name in options.vms if name not in known_vms]
    return tuple(warning("overlay_unused", f"{option}.{name} describes something that was not found.", "Check the spelling.") for option, name in missing)
