# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host that is said to be dead still gives a sign of life: over its networks, and through the disks of its VMs on shared storage.

A refused connection is an answer too: something at that address lives. Silence proves nothing, which is why a recovery needs fencing besides.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...model.errors import HostUnreachable, MigrationError
from ...model.reason import Reason, hard, warning
from ...model.vm import Vm
from .connection import Connection, Hosts, HostSession
from .domain_xml import parse
from .failures import is_missing
from .library import libvirt
from .peer_questions import answers_to_peers
from .pools import read_pools
from .threads import each
from .uri import Uri
from .volumes import refresh

CONNECT_SECONDS = 4.0
WATCH_SECONDS = 4.0
_URI_PORTS = {"ssh": 22, "tls": 16514, "tcp": 16509}
_ROUTES = Path("/proc/net/route")
_QEMU_PORT = 49152
"""The first port that QEMU receives migrations on (libvirt's default ``migration_port_min``)."""


@dataclass(frozen=True, slots=True)
class _Place:
    """An address and port of the host, and what it is."""

    address: str
    port: int
    what: str


def signs_of_life(hosts: Hosts, name: str, vms: Sequence[Vm]) -> tuple[Reason, ...]:
    """See ``driver.Driver.signs_of_life``. Takes up to about ten seconds."""
    paths = sorted({volume.path for vm in vms if vm.is_active for volume in vm.volumes if volume.path.startswith("/") and not volume.read_only})
    before = _written_at(hosts, name, paths)
    began = time.monotonic()
    asked = each(("networks", "peers"), lambda what: _networks(hosts.get(name)) if what == "networks" else _peers(hosts, name))
    found = asked["networks"].result() + asked["peers"].result()
    if before:
        time.sleep(max(0.0, WATCH_SECONDS - (time.monotonic() - began)))
        after = _written_at(hosts, name, before)
        written = sorted(path for path, moment in before.items() if after.get(path, moment) != moment)
        found += tuple(_answers(name, f"{path} is still being written to") for path in written)
    if len(before) < len(paths):
        text = f"{len(paths) - len(before)} of {len(paths)} disks of VMs of {name} could not be watched from another host."
        found += (warning("disks_not_watched", text, "They are in no pool of a host that answers, or the pool was not refreshed since they were made."),)
    return found


def _networks(session: HostSession) -> tuple[Reason, ...]:
    found: list[Reason] = []
    try:
        session.ping()
    except HostUnreachable:
        pass
    else:
        found.append(_answers(session.name, f"libvirt answers ({session.uri.shown})"))
    answers = {place: future.result() for place, future in each(_places(session), _answer_of).items()}
    found += [_answers(session.name, f"{place.address}, its {place.what}, {said} (port {place.port})") for place, said in answers.items() if said]
    return tuple(found)


def _peers(hosts: Hosts, name: str) -> tuple[Reason, ...]:
    """What other hosts hear of it, on networks that the controller may not be on."""
    answered, could_ask = answers_to_peers(hosts, name)
    if could_ask:
        return tuple(_answers(name, f"{address} {said}") for address, said in answered.items())
    text = f"No other host could be asked whether it reaches {name}, because none that answers runs a VM."
    return (warning("peers_not_asked", text, "Only what the controller itself reaches was asked; be sure of the fencing."),)


def _places(session: HostSession) -> tuple[_Place, ...]:
    addresses = {session.peer_uri.host: "address for its peers", session.uri.host: "address for the controller"}
    migration = session.options.migration_address
    if migration and is_on_link(migration, _ROUTES.read_text() if _ROUTES.exists() else ""):
        addresses.setdefault(migration, "address on the migration network")
    own = {_port(session.uri), _port(session.peer_uri)} - {0}
    ports = sorted(own | set(_URI_PORTS.values()) | {_QEMU_PORT})
    return tuple(_Place(address, port, what) for address, what in addresses.items() if address for port in ports)


def is_on_link(address: str, routes: str) -> bool:
    """True where this machine is on the address's own network, by the kernel's table of routes (the text of ``/proc/net/route``).

    By a gateway, whatever answers may be anybody: migration networks use addresses that are private, and no way leads to them from elsewhere.
    """
    try:
        wanted = int.from_bytes(socket.inet_aton(address), "little")
    except OSError:
        return False
    best_mask, on_link = -1, False
    for line in routes.splitlines()[1:]:
        fields = line.split()
        destination, gateway, mask = (int(fields[index], 16) for index in (1, 2, 7))
        ordered = int.from_bytes(mask.to_bytes(4, "little"), "big")
        if wanted & mask == destination and ordered > best_mask:
            best_mask, on_link = ordered, gateway == 0
    return on_link


def _port(uri: Uri) -> int:
    return uri.port or _URI_PORTS.get(uri.transport, 0)


def _answer_of(place: _Place) -> str:
    """What came back from there, in words; empty for silence, and for an address that nobody can find."""
    try:
        socket.create_connection((place.address, place.port), CONNECT_SECONDS).close()
    except ConnectionRefusedError:
        return "refuses connections, so it is alive"
    except OSError as error:
        return "resets connections, so it is alive" if error.errno == errno.ECONNRESET else ""
    return "accepts connections"


def _written_at(hosts: Hosts, dead: str, paths: Iterable[str]) -> dict[str, str]:
    """When each of the files was written to last, as the first other host tells that knows it."""
    wanted = tuple(paths)
    others = [name for name in hosts.names if name != dead]

    def read(connection: Connection) -> dict[str, str]:
        found = {}
        refreshed: set[str] = set()
        for path in wanted:
            moment = _modified(connection, path) or _modified_after_refresh(connection, path, refreshed)
            if moment:
                found[path] = moment
        return found

    try:
        answers, _errors = hosts.on_each(others, lambda session: session.run("watching disks", read)) if wanted else ({}, {})
    except MigrationError:
        return {}
    known: dict[str, str] = {}
    for name in others:
        for path, moment in answers.get(name, {}).items():
            known.setdefault(path, moment)
    return known


def _modified_after_refresh(connection: Connection, path: str, refreshed: set[str]) -> str:
    """libvirt knows a pool's volumes as of its last look; a newer disk is found by looking again, once per pool."""
    above = [pool for pool in read_pools(connection) if pool.active and pool.path and path.startswith(pool.path.rstrip("/") + "/")]
    fresh = [pool.name for pool in above if pool.name not in refreshed]
    for name in fresh:
        refreshed.add(name)
        refresh(connection, name)
    return _modified(connection, path) if fresh else ""


def _modified(connection: Connection, path: str) -> str:
    try:
        volume = connection.raw.storageVolLookupByPath(path)
        return str(parse(volume.XMLDesc()).findtext("./target/timestamps/mtime", ""))
    except libvirt.libvirtError as error:
        if is_missing(error):
            return ""
        raise


def _answers(host: str, what: str) -> Reason:
    text = f"{host} is not dead: {what}."
    hint = "Do not recover: its VMs would run twice. Empty it with purpose: drain, or cut its power and make sure of it."
    return hard("host_still_answers", text, hint, ("PCD-04", "PCD-24"))
