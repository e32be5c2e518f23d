# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of the world as the hosts tell it: where a guest is, and everything that a reading command must leave as it was."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import libvirt

from .hosts import Host

STATE_NAMES = {
    libvirt.VIR_DOMAIN_NOSTATE: "nostate",
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_BLOCKED: "blocked",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTDOWN: "shutdown",
    libvirt.VIR_DOMAIN_SHUTOFF: "shutoff",
    libvirt.VIR_DOMAIN_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "pmsuspended",
}
# What a file system's other users change in a pool's definition
POOL_SIZES = re.compile(r"<(capacity|allocation|available) unit='bytes'>\d+</\1>")


def domain_state(domain: libvirt.virDomain) -> str:
    return STATE_NAMES[domain.state()[0]]


def describe_host(host: Host) -> list[str]:
    """Everything libvirt keeps on a host, as lines: domains (live and inactive definition, metadata, autostart, saved state, snapshots), secrets,
    pools, networks, the configuration files' digests, and the pools' files with their sizes."""
    if not host.is_powered():
        return [f"{host.name}: switched off"]
    lines = []
    with host.connection() as connection:
        for domain in sorted(connection.listAllDomains(), key=lambda domain: domain.UUIDString()):
            lines += _describe_domain(domain)
        lines += [f"secret {xml}" for xml in sorted(secret.XMLDesc() for secret in connection.listAllSecrets())]
        for kind, resources in (("pool", connection.listAllStoragePools()), ("network", connection.listAllNetworks())):
            for resource in sorted(resources, key=lambda resource: resource.UUIDString()):
                xml = POOL_SIZES.sub("", resource.XMLDesc())
                lines.append(f"{kind} active={resource.isActive()} autostart={resource.autostart()} {xml}")
    lines += _describe_files(host.folder / "libvirt-config", digests=True)
    for pool in ("shared", "local"):
        lines += _describe_files(host.pool_folder(pool), digests=False)
    return [f"{host.name}: {line}" for line in "\n".join(lines).splitlines()]


def _describe_domain(domain: libvirt.virDomain) -> list[str]:
    flags = f"autostart={domain.autostart()} saved={domain.hasManagedSaveImage()} snapshots={sorted(domain.snapshotListNames())}"
    lines = [f"domain {domain.name()!r} {domain_state(domain)} persistent={domain.isPersistent()} {flags}", domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE)]
    if domain.isPersistent():
        lines.append(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE))
    return lines


def _describe_files(folder: Path, *, digests: bool) -> list[str]:
    lines = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            lines.append(f"link {path} -> {path.readlink()}")
        elif path.is_file():
            content = f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}" if digests else f"{path.stat().st_size} bytes"
            lines.append(f"file {path} {content}")
    return lines
