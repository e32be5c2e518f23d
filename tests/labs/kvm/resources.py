# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The storage pools and networks that every lab host has from the start."""

from __future__ import annotations

import libvirt

from .config import GUEST_NETWORK, LOCAL_POOL, NETWORK_BRIDGES, ONLY_FIRST_HOST_NETWORK, POOL_PATHS, SHARED_POOL, LabConfig


def network_names(config: LabConfig, host: str) -> list[str]:
    """`guests` on every host, `only1` on the first alone."""
    return [GUEST_NETWORK, *([ONLY_FIRST_HOST_NETWORK] if host == config.host_names[0] else [])]


def pool_uuid(config: LabConfig, host: str, pool: str) -> str:
    """The shared pool has one UUID on all hosts, and that is how one recognises that it is one pool; a local pool has its own on each."""
    return config.uuid_of("pool", SHARED_POOL) if pool == SHARED_POOL else config.uuid_of("pool", host, pool)


def define_resources(connection: libvirt.virConnect, config: LabConfig, host: str) -> None:
    """Define, start and mark autostart what is missing."""
    pools = {pool.name() for pool in connection.listAllStoragePools()}
    for name in (SHARED_POOL, LOCAL_POOL):
        if name not in pools:
            uuid = pool_uuid(config, host, name)
            xml = f"<pool type='dir'><name>{name}</name><uuid>{uuid}</uuid><target><path>{POOL_PATHS[name]}</path></target></pool>"
            connection.storagePoolDefineXML(xml)
        pool = connection.storagePoolLookupByName(name)
        if not pool.isActive():
            pool.create()
        pool.setAutostart(1)
    networks = {network.name() for network in connection.listAllNetworks()}
    for name in network_names(config, host):
        if name not in networks:
            uuid = config.uuid_of("network", host, name)
            bridge = NETWORK_BRIDGES[name]
            connection.networkDefineXML(f"<network><name>{name}</name><uuid>{uuid}</uuid><forward mode='bridge'/><bridge name='{bridge}'/></network>")
        network = connection.networkLookupByName(name)
        if not network.isActive():
            network.create()
        network.setAutostart(1)


def remove_extra_resources(connection: libvirt.virConnect, config: LabConfig, host: str) -> None:
    """Remove every secret, and the pools and networks that are not the lab's own: what a test or a controller left on the host."""
    for secret in connection.listAllSecrets():
        secret.undefine()
    for network in connection.listAllNetworks():
        if network.name() not in network_names(config, host):
            _stop_and_undefine(network)
    for pool in connection.listAllStoragePools():
        if pool.name() not in POOL_PATHS:
            _stop_and_undefine(pool)


def _stop_and_undefine(resource: libvirt.virNetwork | libvirt.virStoragePool) -> None:
    persistent = resource.isPersistent()
    if resource.isActive():
        resource.destroy()
    if persistent:
        resource.undefine()
