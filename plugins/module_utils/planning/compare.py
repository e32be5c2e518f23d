# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares an approved plan with the one that holds now, move by move, in words."""

from __future__ import annotations

from ..model.migration import Migration
from ..model.plan import Plan
from ..model.site import Site


def difference(approved: Plan, current: Plan, site: Site) -> tuple[str, ...]:
    """One sentence per move that differs, by VM name; empty where nothing does.

    An approved move that is done already (the VM is at its approved target), or under way to it, is no difference.
    """
    now = {move.vm: move for move in current.migrations}
    then = {move.vm: move for move in approved.migrations}
    texts = [(move.vm_name, text) for move in approved.migrations if (text := _changed(move, now.get(move.vm), current, site))]
    texts += [(move.vm_name, f"{_words(move)}: not in the approved plan.") for move in current.migrations if move.vm not in then]
    return tuple(text for _name, text in sorted(texts))


def _changed(approved: Migration, current: Migration | None, plan: Plan, site: Site) -> str:
    vm = site.vm_by_id.get(approved.vm)
    if vm is None:
        return f"{_words(approved)}: approved, but the VM is not there any more."
    if current is None:
        if approved.target_host in (vm.host, vm.operation_target):
            return ""
        why = [reason.message for entry in plan.unplaced if entry.vm == vm.id for reason in entry.reasons if reason.blocks]
        return f"{_words(approved)}: approved, but not planned now{f': {why[0]}' if why else '.'}"
    for what, old, new in (
        ("source", approved.source_host, current.source_host),
        ("target", approved.target_host, current.target_host),
        ("type", approved.type.value, current.type.value),
        ("mode", approved.mode.value, current.mode.value),
        ("pools", _pools(approved), _pools(current)),
    ):
        if old != new:
            return f"{_words(approved)}: approved with {what} {old}, now planned with {what} {new}."
    return ""


def _pools(move: Migration) -> str:
    return ", ".join(f"{way.volume} to {way.target_pool or 'no pool'}" for way in sorted(move.volumes, key=lambda way: way.volume)) or "none"


def _words(move: Migration) -> str:
    return f"{move.vm_name} from {move.source_host} to {move.target_host}"
