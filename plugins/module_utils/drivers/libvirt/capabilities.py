# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host and its QEMU can do: architecture, machine types, processor features. Asked once per connection, because libvirt's first answer takes seconds."""

from __future__ import annotations

from dataclasses import dataclass

from .connection import Connection
from .domain_xml import Element, parse, to_text
from .library import libvirt


@dataclass(frozen=True, slots=True)
class HostCapabilities:
    """``machine_id`` is libvirt's UUID of the host; two names with one of it are one machine. ``virt_types`` are kvm, qemu ..."""

    machine_id: str
    architecture: str | None
    cpu_model: str | None
    virt_types: frozenset[str]
    machine_types: frozenset[str]


def host_capabilities(connection: Connection) -> HostCapabilities:
    """The host's capabilities, from the connection's memory after the first time."""
    if "host" not in connection.cache:
        connection.cache["host"] = read_capabilities(connection.raw.getCapabilities())
    found: HostCapabilities = connection.cache["host"]
    return found


def read_capabilities(xml: str) -> HostCapabilities:
    """The facts of a capabilities document. Format: https://libvirt.org/formatcaps.html."""
    root = parse(xml)
    architecture = root.findtext("./host/cpu/arch")
    arches = [arch for arch in root.iterfind("./guest/arch") if arch.get("name") == architecture]
    return HostCapabilities(
        machine_id=root.findtext("./host/uuid", ""),
        architecture=architecture,
        cpu_model=root.findtext("./host/cpu/model"),
        virt_types=frozenset(domain.get("type", "") for arch in arches for domain in arch.iterfind("./domain")),
        machine_types=frozenset(
            name for arch in arches for machine in arch.iter("machine") for name in (machine.text or "", machine.get("canonical", "")) if name
        ),
    )


def host_cpu(connection: Connection, virt_type: str) -> tuple[str | None, frozenset[str] | None]:
    """CPU model and features that the host offers to guests of that type: its host-model, with the features that the model implies. None: cannot be told."""
    key = ("host_cpu", virt_type)
    if key not in connection.cache:
        connection.cache[key] = _host_cpu(connection, virt_type)
    found: tuple[str | None, frozenset[str] | None] = connection.cache[key]
    return found


def guest_features(connection: Connection, virt_type: str, architecture: str, cpu_xml: str) -> frozenset[str] | None:
    """The features that a guest's CPU shows to it, those that its model implies included. None: cannot be told on this host."""
    if not cpu_xml:
        return None
    key = ("guest_cpu", virt_type, architecture, cpu_xml)
    if key not in connection.cache:
        connection.cache[key] = _expand(connection, virt_type, architecture, cpu_xml)
    found: frozenset[str] | None = connection.cache[key]
    return found


def _host_cpu(connection: Connection, virt_type: str) -> tuple[str | None, frozenset[str] | None]:
    architecture = host_capabilities(connection).architecture
    try:
        root = parse(connection.raw.getDomainCapabilities(None, architecture, None, virt_type))
    except libvirt.libvirtError:
        return None, None
    mode = next((mode for mode in root.iterfind("./cpu/mode") if mode.get("name") == "host-model" and mode.get("supported") == "yes"), None)
    if mode is None or mode.find("./model") is None:
        return None, None
    return mode.findtext("./model"), _expand(connection, virt_type, architecture or "", custom_cpu(mode))


def custom_cpu(mode: Element) -> str:
    """A host-model of the domain capabilities as the CPU element of a domain."""
    children = "".join(to_text(child) for child in mode if child.tag in ("model", "vendor", "feature"))
    return f"<cpu mode='custom' match='exact'>{children}</cpu>"


def _expand(connection: Connection, virt_type: str, architecture: str, cpu_xml: str) -> frozenset[str] | None:
    flags = libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
    try:
        expanded = connection.raw.baselineHypervisorCPU(None, architecture or None, None, virt_type, [cpu_xml], flags)
    except libvirt.libvirtError:
        return None  # another architecture, host-passthrough, or a QEMU that cannot expand models
    return required_features(expanded)


def required_features(cpu_xml: str) -> frozenset[str]:
    """Names of the features that a CPU element asks for."""
    features = parse(cpu_xml).iterfind("./feature")
    return frozenset(feature.get("name", "") for feature in features if feature.get("policy", "require") in ("require", "force"))


def dotted_version(number: int) -> str:
    """libvirt's number of a version (7002022) as text (7.2.22)."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
