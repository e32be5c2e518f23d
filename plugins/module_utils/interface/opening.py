# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the option ``site`` to an open driver: every wrong field is named with its path, before any connection is made."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..drivers.driver import Driver
from ..drivers.registry import DRIVERS, open_driver
from ..model.codec import decode
from ..model.errors import InputError
from ..model.options import SiteOptions, VsphereOptions
from ..rules.rulebook import profile_named
from .coercion import prepared
from .failure import without_passwords
from .files import read_data
from .ranges import check_site_numbers

_OVERLAY_PARTS = ("hosts", "pools", "vms", "links", "limits")
_ADDRESS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})")
_INVENTORY_DRIVERS = ("libvirt",)
"""Drivers whose hosts are all named in ``site.hosts``."""


def open_site(params: Mapping[str, Any]) -> Driver:
    """The driver for a module's options; close it after use (``with``). Raises InputError, DriverMissing and the driver's own errors."""
    return open_driver(site_options(params["site"]))


def site_options(data: Mapping[str, Any]) -> SiteOptions:
    """The option ``site`` as data model, with the overlay file below it. Raises InputError that names the path of what is wrong."""
    given = {key: value for key, value in data.items() if value is not None}
    if given.get("driver") not in DRIVERS:
        raise InputError("site.driver", f"{given.get('driver')!r} is not a driver.", code="driver_unknown", hint=f"Drivers: {', '.join(DRIVERS)}.")
    if "overlay_file" in given:
        given = _laid_over(_overlay(given["overlay_file"]), given)
    options = decode(SiteOptions, prepared(SiteOptions, given), "site")
    _check(options)
    return options


def _check(options: SiteOptions) -> None:
    profile_named(options.profile)
    if options.driver in _INVENTORY_DRIVERS and not options.hosts:
        raise InputError("site.hosts", "empty inventory.", code="empty_inventory", hint="Name every host with the URI that reaches it.")
    if options.driver == "simulator" and not options.simulator.world:
        raise InputError("site.simulator.world", "no world file is named.", hint="Name one, such as examples/site.yml of the collection.")
    if options.driver == "vsphere":
        _check_vsphere(options.vsphere)
    check_site_numbers(options)
    _check_hosts(options)


def _check_vsphere(given: VsphereOptions) -> None:
    """Server, user and password are needed; the server is a name or an address, not a URL."""
    for field, variable in (("hostname", "VMWARE_HOST"), ("username", "VMWARE_USER"), ("password", "VMWARE_PASSWORD")):
        if not getattr(given, field).strip():
            raise InputError(f"site.vsphere.{field}", "it is not given.", hint=f"Give it, or set the environment variable {variable}.")
    if (not _ADDRESS.fullmatch(given.hostname) and ":" not in given.hostname) or "/" in given.hostname:
        hint = "Give the name or the address alone, without scheme, port or path."
        raise InputError("site.vsphere.hostname", f"{given.hostname!r} is neither an IP address nor a host name.", hint=hint)
    if given.ca_path and not Path(given.ca_path).is_file():
        raise InputError(
            "site.vsphere.ca_path", f"{given.ca_path!r} is not a file.", hint="Name a file with the certificates of the trusted authorities (PEM)."
        )


def _check_hosts(options: SiteOptions) -> None:
    """The same machine under two names would be drained into itself."""
    first: dict[str, str] = {}
    peers: dict[str, str] = {}
    for name, host in options.hosts.items():
        if not name.strip():
            raise InputError("site.hosts", "a host has an empty name.")
        _check_address(name, host.migration_address)
        if host.peer_uri:
            same = peers.setdefault(_machine(host.peer_uri), name)
            if same != name:
                text = f"{same!r} has the same URI: a move to {name} would end on another host than the planned one."
                raise InputError(f"site.hosts.{name}.peer_uri", text, code="host_duplicate", hint="Give each host the URI by which other hosts reach it.")
        for field, uri in (("uri", host.uri), ("peer_uri", host.peer_uri)):
            if without_passwords(uri) != uri:
                hint = "Use an ssh key, a TLS certificate or libvirt's auth.conf instead."
                raise InputError(f"site.hosts.{name}.{field}", "it carries a password.", hint=hint)
        if not host.uri:
            continue
        same = first.setdefault(_machine(host.uri), name)
        if same != name:
            raise InputError(f"site.hosts.{name}.uri", f"{same!r} has the same URI {host.uri!r}: a host is given twice.", code="host_duplicate")


def _check_address(name: str, address: str | None) -> None:
    """The hypervisors put it into a URI of their own; what is no address fails there only when a move starts."""
    if address is not None and not _ADDRESS.fullmatch(address) and ":" not in address:
        option = f"site.hosts.{name}.migration_address"
        raise InputError(option, f"{address!r} is neither an IP address nor a host name.", hint="Give the address alone, without scheme or port.")
    if address is not None and ":" in address:
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            option = f"site.hosts.{name}.migration_address"
            raise InputError(option, f"{address!r} is no IPv6 address.", hint="Give the address alone, without scheme or port.") from None


def _machine(uri: str) -> str:
    """The URI in a form that is equal for equal machines: case of the host name and a slash at the end do not matter."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri  # the driver tells what is wrong with it
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower(), path=parts.path.rstrip("/")).geturl()


def _overlay(name: str) -> dict[str, Any]:
    """The overlay file's parts, checked by themselves so that an error names the file."""
    path = Path(name).expanduser()
    data = read_data(path, "site.overlay_file")
    if not isinstance(data, Mapping):
        raise InputError("site.overlay_file", f"{name!r} holds no mapping.", hint=f"It may hold: {', '.join(_OVERLAY_PARTS)}.")
    for key in data:
        if key not in _OVERLAY_PARTS:
            raise InputError(f"site.overlay_file ({path}): {key}", "unknown field.", hint=f"Known fields: {', '.join(_OVERLAY_PARTS)}.")
    given = {key: value for key, value in data.items() if value is not None}
    # The overlay's own fields are checked on their own; the driver's name is the one thing that it lacks.
    decode(SiteOptions, prepared(SiteOptions, {"driver": "", **given}), f"site.overlay_file ({path})")
    return given


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Explicit options win, field by field; the file fills in the rest."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _laid_over(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else under if value is None else value
    return merged


def unique(names: list[str], option: str, code: str = "host_duplicate") -> tuple[str, ...]:
    """The names as given. Raises InputError where one is empty or given twice (``code``)."""
    for index, name in enumerate(names):
        if not name.strip():
            raise InputError(f"{option}[{index}]", "the name is empty.")
        if name in names[:index]:
            raise InputError(f"{option}[{index}]", f"{name!r} is given twice.", code=code)
    return tuple(names)
