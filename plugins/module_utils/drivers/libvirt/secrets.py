# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small texts kept with a host: secrets without a value, whose description is ours and whose usage id is unique in the daemon.

libvirt refuses to define a second secret with the same usage id: that makes a claim atomic. They are neither ephemeral nor private, need no file
access, outlive the daemon, and ``virsh secret-list`` shows them to everybody. Undefined always by UUID, so that nobody removes another's new one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from .connection import Connection
from .domain_xml import parse
from .failures import is_missing
from .library import libvirt

PREFIX = "vmops/"
DEFINE_TRIES = 10


@dataclass(frozen=True, slots=True)
class KeptText:
    """One such secret: ``data`` is the JSON of its description, None for a text that is not ours."""

    uuid: str
    usage: str
    data: Any


def secret_xml(uuid: str, usage: str, data: Any) -> str:
    """The definition of a secret that keeps ``data`` (JSON)."""
    text = escape(json.dumps(data, ensure_ascii=True, separators=(",", ":"), sort_keys=True))
    usage = f"<usage type='ceph'><name>{escape(usage)}</name></usage>"
    return f"<secret ephemeral='no' private='no'><uuid>{uuid}</uuid><description>{text}</description>{usage}</secret>"


def define(connection: Connection, uuid: str, usage: str, data: Any) -> KeptText | None:
    """Define it, or write it anew where it is ours. Gives the other secret that has the usage id where there is one, else None: defined."""
    for _turn in range(DEFINE_TRIES - 1):
        try:
            connection.raw.secretDefineXML(secret_xml(uuid, usage, data))
        except libvirt.libvirtError:
            found = find(connection, usage)
            if found is not None and found.uuid != uuid:
                return found
            # Its holder went away in this moment, and the next one may be as quick; or it is not the usage id: the last try tells.
        else:
            return None
    connection.raw.secretDefineXML(secret_xml(uuid, usage, data))
    return None


def find(connection: Connection, usage: str) -> KeptText | None:
    """The secret with that usage id, None for none."""
    try:
        return _read(connection.raw.secretLookupByUsage(libvirt.VIR_SECRET_USAGE_TYPE_CEPH, usage))
    except libvirt.libvirtError as error:
        if is_missing(error):
            return None
        raise


def exists(connection: Connection, uuid: str) -> bool:
    """True where the secret is still defined."""
    return _lookup(connection, uuid) is not None


def undefine(connection: Connection, uuid: str) -> None:
    """Remove it; one that is gone already is well."""
    secret = _lookup(connection, uuid)
    if secret is None:
        return
    try:
        secret.undefine()
    except libvirt.libvirtError as error:
        if not is_missing(error):
            raise


def all_under(connection: Connection, prefix: str) -> tuple[KeptText, ...]:
    """All of them whose usage id begins so: one call, and one for each found."""
    found = []
    for secret in connection.raw.listAllSecrets(0):
        if secret.usageType() != libvirt.VIR_SECRET_USAGE_TYPE_CEPH or not secret.usageID().startswith(prefix):
            continue
        try:
            found.append(_read(secret))
        except libvirt.libvirtError as error:
            if not is_missing(error):
                raise
    return tuple(found)


def _lookup(connection: Connection, uuid: str) -> Any | None:
    try:
        return connection.raw.secretLookupByUUIDString(uuid)
    except libvirt.libvirtError as error:
        if is_missing(error):
            return None
        raise


def _read(secret: Any) -> KeptText:
    text = parse(secret.XMLDesc(0)).findtext("./description", "")
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    return KeptText(secret.UUIDString(), secret.usageID(), data)
