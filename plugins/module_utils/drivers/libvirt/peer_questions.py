# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host answers its peers: their daemons are asked to open it, over the networks that only hosts are on.

A daemon opens another one only for a migration; so it is asked for one that libvirt always refuses after it has connected (see ``precheck``).
"""

from __future__ import annotations

import re
import threading
from typing import Any

from .connection import Connection, Hosts, HostSession
from .domains import running_job
from .library import libvirt
from .threads import bounded

ASK_SECONDS = 8.0
PEERS_ASKED = 2
_REACHED = "offline migration cannot handle non-shared storage"
# What a daemon says of one that answered it, although not in the way that it should
_ANSWERED = re.compile(r"connection refused|certificate|end of file|connection reset|tls|authentication|unauthori[sz]ed|not authori[sz]ed", re.IGNORECASE)
_OWN_FAULT = re.compile(r"cannot read|no such file|unable to resolve|could not resolve|name or service", re.IGNORECASE)


def answers_to_peers(hosts: Hosts, name: str) -> tuple[dict[str, str], bool]:
    """Address -> what came back from it, for those that answered; and whether any peer could be asked at all."""
    uris = _uris(hosts.get(name))
    turns = threading.Semaphore(PEERS_ASKED)
    told: dict[str, dict[str, str]] = {}

    def ask(session: HostSession) -> None:
        with turns:
            if len(told) < PEERS_ASKED:
                said = session.run(f"asking whether {name} answers", lambda link: _ask_all(link, uris), ASK_SECONDS * len(uris) + 5)
                if said is not None:
                    told[session.name] = said

    hosts.on_each([peer for peer in hosts.names if peer != name], ask)
    answered = {address: f"{said} to {peer}" for peer, found in told.items() for address, said in found.items() if said}
    return answered, bool(told)


def _uris(session: HostSession) -> dict[str, str]:
    """Address -> URI: the host's own for its peers, and the same by its address on the migration network."""
    own = session.peer_uri
    found = {own.host: own.text}
    address = session.options.migration_address
    if address and address != own.host:
        found[address] = own.text.replace(own.host, address, 1)
    return found


def _ask_all(connection: Connection, uris: dict[str, str]) -> dict[str, str] | None:
    """None where the host has no VM that could be asked for. Each address is asked for with a VM of its own, as far as there are: a question that is not
    answered in time holds its VM, for as long as the daemon waits for the network.
    """
    idle = [found for found in connection.raw.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_RUNNING) if running_job(found) is None][: len(uris)]
    if not idle:
        return None
    return {address: _ask(idle[index % len(idle)], uri) for index, (address, uri) in enumerate(uris.items())}


def _ask(domain: Any, uri: str) -> str:
    flags = libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_OFFLINE | libvirt.VIR_MIGRATE_NON_SHARED_DISK

    def probe() -> str:
        try:
            domain.migrateToURI3(uri, {}, flags)
        except libvirt.libvirtError as error:
            return answer_in(error.get_error_message() or "")
        return "answers"

    try:
        return bounded(probe, ASK_SECONDS, "vmops-peer-question")
    except TimeoutError:
        return ""


def answer_in(message: str) -> str:
    """What an error tells of the host that was to be opened: an answer, in words; or silence, and what says nothing of it (empty)."""
    if _REACHED in message:
        return "answers"
    if _OWN_FAULT.search(message) or not _ANSWERED.search(message):
        return ""
    return "refuses the connection, so it is alive," if "refused" in message.lower() else "answers, although not in peace,"
