# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's wires: a namespace per host, one switch namespace with the management and the migration network, and a leg for the controller.

The two bridges live in the switch namespace, so that no firewall of the machine sees the traffic between hosts. The machine itself has one
interface, with the address that tests and playbooks reach the hosts from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from .commands import run
from .config import GUEST_NETWORK, NETWORK_BRIDGES, ONLY_FIRST_HOST_NETWORK, Addresses

WHOLE = "whole"


class Link(StrEnum):
    """A host's two network cards, by the name they have in its namespace."""

    MANAGEMENT = "management"
    MIGRATION = "migration"


def _is_whole(namespace: str) -> bool:
    """Whether everything was made in the namespace: the last step names its loopback so. Kept in the kernel, it cannot outlive what it says."""
    links = json.loads(run(["ip", "-n", namespace, "-json", "link", "show", "dev", "lo"]))
    return bool(links[0].get("ifalias") == WHOLE)


def _bridge(link: Link) -> str:
    return f"br-{link}"


def _port(host: str, link: Link) -> str:
    return f"{host}-{link}"


class Network:
    """Makes, changes and removes the network of one lab. Every method may be called twice."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    def namespaces(self) -> list[str]:
        """Those of this lab that exist."""
        names = (line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line.strip())
        return [name for name in names if name.startswith(f"{self._addresses.prefix}-")]

    def up(self, hosts: Iterable[str]) -> None:
        existing = set(self.namespaces())
        switch = self._addresses.switch_namespace
        if switch not in existing or not _is_whole(switch):
            self.down()  # a killed `up` leaves a half, in which no host was started yet
            existing = set()
            self._add_switch()
        for number, host in enumerate(hosts):
            namespace = self._addresses.host_namespace(host)
            if namespace not in existing or not _is_whole(namespace):
                self._remove_host(host)
                self._add_host(host, first=number == 0)

    def down(self) -> None:
        """Nothing may run in the namespaces any more: a namespace lives as long as its last process."""
        for name in self.namespaces():
            run(["ip", "netns", "delete", name])
        if run(["ip", "-brief", "link", "show", "dev", self._addresses.controller_interface], check=False):
            run(["ip", "link", "delete", self._addresses.controller_interface], check=False)

    def cut(self, host: str, link: Link) -> None:
        """Pull the cable of one network card."""
        self._in_switch(f"link set {_port(host, link)} down")

    def restore(self, host: str, link: Link) -> None:
        self._in_switch(f"link set {_port(host, link)} up")

    @contextmanager
    def lost_connections(self, host: str, address: str) -> Iterator[None]:
        """For a while, nothing of the TCP connections that the host has to that address now leaves it, as if a firewall had forgotten them. New ones do."""
        namespace = self._addresses.host_namespace(host)
        found = run(["ip", "netns", "exec", namespace, "ss", "-Htn", "dst", address]).splitlines()
        ports = [line.split()[3].rpartition(":")[2] for line in found]
        rules = [["ipproto", "tcp", "sport", port, "type", "blackhole"] for port in ports]
        for rule in rules:
            run(["ip", "-n", namespace, "rule", "add", *rule])
        try:
            yield
        finally:
            for rule in rules:
                run(["ip", "-n", namespace, "rule", "delete", *rule])

    def close_connections(self, host: str, address: str) -> None:
        """Close the TCP connections that the host has with that address."""
        run(["ip", "netns", "exec", self._addresses.host_namespace(host), "ss", "-K", "dst", address])

    def shape(self, host: str, link: Link, bandwidth_mbps: int) -> None:
        """Limit one network card to bandwidth_mbps (megabit per second) in each direction."""
        burst_bytes = max(131072, bandwidth_mbps * 1_000_000 // 8 // 100)  # 10 ms of traffic, never below two segments of 64 KiB
        limit = ["root", "tbf", "rate", f"{bandwidth_mbps}mbit", "burst", str(burst_bytes), "latency", "100ms"]
        run(["tc", "-n", self._addresses.host_namespace(host), "qdisc", "replace", "dev", link, *limit])
        run(["tc", "-n", self._addresses.switch_namespace, "qdisc", "replace", "dev", _port(host, link), *limit])

    def clear_shape(self, host: str, link: Link) -> None:
        for namespace, device in ((self._addresses.host_namespace(host), str(link)), (self._addresses.switch_namespace, _port(host, link))):
            run(["tc", "-n", namespace, "qdisc", "delete", "dev", device, "root"], check=False)  # none there: fails, and that is well

    def _add_switch(self) -> None:
        switch = self._addresses.switch_namespace
        run(["ip", "netns", "add", switch])
        interface = self._addresses.controller_interface
        self._in_switch(
            "link set lo up",
            *(line for link in Link for line in (f"link add {_bridge(link)} type bridge", f"link set {_bridge(link)} up")),
            f"link add controller type veth peer name {interface} netns {os.getpid()}",
            f"link set controller master {_bridge(Link.MANAGEMENT)} up",
        )
        run(["ip", "address", "replace", f"{self._addresses.controller_address}/24", "dev", interface])
        run(["ip", "link", "set", interface, "up"])
        self._in_switch(f"link set lo alias {WHOLE}")

    def _add_host(self, host: str, *, first: bool) -> None:
        namespace = self._addresses.host_namespace(host)
        run(["ip", "netns", "add", namespace])
        addresses = {Link.MANAGEMENT: self._addresses.management(host), Link.MIGRATION: self._addresses.migration(host)}
        for link in Link:
            self._in_switch(
                f"link add {_port(host, link)} type veth peer name {link} netns {namespace}",
                f"link set {_port(host, link)} master {_bridge(link)} up",
            )
        bridges = [NETWORK_BRIDGES[GUEST_NETWORK], *([NETWORK_BRIDGES[ONLY_FIRST_HOST_NETWORK]] if first else [])]
        self._batch(
            namespace,
            "link set lo up",
            *(line for link, address in addresses.items() for line in (f"address add {address}/24 dev {link}", f"link set {link} up")),
            *(line for bridge in bridges for line in (f"link add {bridge} type bridge", f"link set {bridge} up")),
            f"link set lo alias {WHOLE}",
        )

    def _remove_host(self, host: str) -> None:
        run(["ip", "netns", "delete", self._addresses.host_namespace(host)], check=False)  # none there: fails, and that is well
        for link in Link:  # the kernel would do it as well, but later
            run(["ip", "-n", self._addresses.switch_namespace, "link", "delete", _port(host, link)], check=False)

    def _in_switch(self, *lines: str) -> None:
        self._batch(self._addresses.switch_namespace, *lines)

    @staticmethod
    def _batch(namespace: str, *lines: str) -> None:
        run(["ip", "-n", namespace, "-batch", "-"], stdin="\n".join(lines) + "\n")
