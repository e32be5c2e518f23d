# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the ``site`` option from inventory variables, so that the inventory stays the single description of the hosts."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.model.options import HostOptions

PREFIX = "vmops_"
HOST_FIELDS = tuple(field.name for field in dataclasses.fields(HostOptions))
OTHER_VARIABLES = ("vmops_site", "vmops_group")


def site_from_inventory(site: Any, hostvars: Any, hosts: Any) -> dict[str, Any]:
    """The site with its ``hosts`` taken from the variables of the inventory's hosts, unless the site brings its own.

    Raises AnsibleFilterError for input of another form, and for a variable that begins with ``vmops_`` and means nothing.
    """
    if not isinstance(site, Mapping):
        raise AnsibleFilterError(f"vmops_site must be a dictionary such as {{driver: libvirt}}, not {type(site).__name__}.")
    if site.get("hosts"):
        return dict(site)
    if isinstance(hosts, str) or not isinstance(hosts, Iterable):
        raise AnsibleFilterError("site_from_inventory needs a list of host names.")
    return {**site, "hosts": {str(name): host_options(str(name), hostvars[name]) for name in hosts}}


def host_options(name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """One host's entry of ``site.hosts``: what its ``vmops_*`` variables say, then what gathered facts can add."""
    _refuse_unknown(name, variables)
    options = {field: variables[PREFIX + field] for field in HOST_FIELDS if PREFIX + field in variables}
    facts = variables.get("ansible_facts") or {}
    for field, value in _from_facts(facts, options.get("migration_address")).items():
        options.setdefault(field, value)
    return options


def _refuse_unknown(host: str, variables: Mapping[str, Any]) -> None:
    """A misspelt variable would otherwise be ignored without a word."""
    known = [PREFIX + field for field in HOST_FIELDS]
    for name in variables:
        if name.startswith(PREFIX) and name not in known and name not in OTHER_VARIABLES:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
            raise AnsibleFilterError(f"{name} of inventory host {host} is not a variable of vmops.migration. {meant}")


def _from_facts(facts: Mapping[str, Any], migration_address: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if facts.get("distribution"):
        found["os_name"] = str(facts["distribution"]).lower()
    if facts.get("distribution_version"):
        found["os_version"] = str(facts["distribution_version"])
    speed = _link_mbps(facts, migration_address)
    if speed:
        found["migration_link_mbps"] = speed
    return found


def _link_mbps(facts: Mapping[str, Any], address: Any) -> int | None:
    """Speed of the interface that has the migration address; the kernel says -1 or nothing where it does not know."""
    for interface in facts.get("interfaces") or ():
        described = facts.get(str(interface).replace("-", "_").replace(".", "_").replace(":", "_"))
        if isinstance(described, Mapping) and address and (described.get("ipv4") or {}).get("address") == address:
            speed = described.get("speed")
            return speed if isinstance(speed, int) and speed > 0 else None
    return None


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"site_from_inventory": site_from_inventory}
