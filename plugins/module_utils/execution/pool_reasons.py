# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why each volume of a pool that was to be emptied is still there, and what to do about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..model.pool_content import Owner, PoolContent
from ..model.reason import Reason, warning
from ..model.site import Site

NAMES_SHOWN = 5

Why = Mapping[str, tuple[Reason, ...]]
"""Reasons by name of the VM."""


def with_reasons(site: Site, contents: tuple[PoolContent, ...], wanted: frozenset[str], why: Why, *, allow_partial: bool) -> tuple[PoolContent, ...]:
    """The contents, each with its reasons. ``wanted`` are names of the VMs that were to be moved, ``why`` tells of those that could not be."""
    told = {content: _of_a_disk(content, wanted, why, allow_partial=allow_partial) for content in contents if content.owner is Owner.VM}
    return tuple(dataclasses.replace(content, reasons=told.get(content) or _of_another(site, content)) for content in contents)


def _of_a_disk(content: PoolContent, wanted: frozenset[str], why: Why, *, allow_partial: bool) -> tuple[Reason, ...]:
    names = _listed(content.vms)
    told = next((why[name] for name in content.vms if why.get(name)), ())
    if told:
        return tuple(dict.fromkeys(reason for reason in told if reason.blocks)) or told
    if not set(content.vms) & wanted:
        return (warning("not_selected", f"{names} is not among the VMs that were to be moved.", "Widen `select`."),)
    if why and not allow_partial:
        text = f"{names} was not moved, because the plan has no place for {len(why)} other VM(s): {_listed(tuple(sorted(why)))}."
        return (warning("plan_incomplete", text, "See what keeps those, or move the rest with allow_partial."),)
    return (warning("arrived_meanwhile", f"The disk of {names} came to {content.pool} after the plan was made.", "Run the task again."),)


def _of_another(site: Site, content: PoolContent) -> tuple[Reason, ...]:
    """Of what no plan moves."""
    if content.vms and content.owner is Owner.ISO:
        return (warning("iso_in_use", f"{content.name} is in the drive of {_listed(content.vms)}.", "Eject it, or bring it into another pool."),)
    if content.vms:
        text = f"Disks of {_listed(content.vms)} rest on {content.name}."
        return (warning("template_in_use", text, "Give flatten: true, so that copies take in what they rest on."),)
    if content.volumes:
        return (warning("rested_upon", f"{_listed(content.volumes)} rests on {content.name}.", "Keep them together."),)
    hosts = _listed(tuple(sorted(host.name for host in site.hosts if content.pool in host.pools)))
    text = f"{content.name} is {'in the drive' if content.owner is Owner.ISO else 'the disk'} of no VM on {hosts}."
    return (warning("unused", text, "Find out whose it is, then move or delete it; this run does not touch it."),)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else "")
