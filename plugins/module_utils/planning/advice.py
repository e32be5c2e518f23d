# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Advice that follows from how long a move is expected to take."""

from __future__ import annotations

import dataclasses

from ..model.capabilities import Capabilities
from ..model.host import Host
from ..model.intent import Intent
from ..model.migration import MigrationType, Mode
from ..model.reason import Reason, blocking, warning
from ..model.site import Site
from ..model.vm import PowerState, Vm
from ..rules.options import judge_options, timeout_of
from ..rules.rule import LIVE_BY_HOST

LONG_SECONDS = 86400.0
"""Longer than that, post-copy is advised (CAS-43)."""


def advice(intent: Intent | None, vm: Vm, target: Host | None, site: Site, seconds: float, capabilities: Capabilities | None = None) -> tuple[Reason, ...]:
    """Warnings about a move that is expected to take ``seconds``: post-copy where it is allowed and would help, and a timeout that is too short.

    Without an intent it is a live move by host whose timeout is an option of the run, not known here.
    """
    if intent is None:
        return _post_copy(LIVE_BY_HOST, vm, target, site, seconds, capabilities)
    return _post_copy(intent, vm, target, site, seconds, capabilities) + _timeout(intent, vm, seconds)


def _post_copy(intent: Intent, vm: Vm, target: Host | None, site: Site, seconds: float, capabilities: Capabilities | None) -> tuple[Reason, ...]:
    by_host = intent.type is MigrationType.HOST and intent.mode is Mode.LIVE and vm.power_state is PowerState.RUNNING
    if not by_host or intent.post_copy or seconds <= LONG_SECONDS:
        return ()
    if blocking(judge_options(dataclasses.replace(intent, post_copy=True), vm, target, site, capabilities=capabilities)):
        return ()
    text = f"The move of VM {vm.name} is expected to take {seconds / 3600:.1f} hours, more than {LONG_SECONDS / 3600:.0f}."
    return (warning("consider_post_copy", text, "Consider post_copy: true, which ends in time at the risk that the reason post_copy_risk tells.", ("CAS-43",)),)


def _timeout(intent: Intent, vm: Vm, seconds: float) -> tuple[Reason, ...]:
    limit = timeout_of(intent)
    if seconds <= limit:
        return ()
    text = f"The move of VM {vm.name} is expected to take {seconds:.0f} s, longer than its timeout of {limit:.0f} s."
    return (warning("timeout_too_short", text, "Give a larger timeout_seconds, or move it at a quiet hour.", ("CSK-06",)),)
