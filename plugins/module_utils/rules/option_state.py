# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about type, mode and state: what is asked for must agree in itself, with the VM's state and with what the driver can do."""

from __future__ import annotations

from ..model.intent import Intent, TimeoutAction, VolumeFormat
from ..model.migration import MigrationType, Mode
from ..model.vm import PowerState
from .option_case import OptionCase
from .rule import NOTHING, Finding, Findings

_NAMES = {MigrationType.HOST: "the host", MigrationType.STORAGE: "the storage", MigrationType.HOST_STORAGE: "host and storage"}


def able(case: OptionCase) -> Findings:
    """The driver must be able to make such a move at all (CSV-01)."""
    intent, driver = case.intent, case.capabilities
    if driver is None:
        return NOTHING
    found = []
    if not driver.can(intent.type, intent.mode):
        can = [f"{kind.value} {mode.value}" for kind in MigrationType for mode in Mode if driver.can(kind, mode)]
        text = f"The driver of this site does not move {_NAMES[intent.type]} of a VM in mode {intent.mode.value}."
        found.append(Finding(text, f"It can: {', '.join(can)}."))
    lacking = [option for option in ("post_copy", "encrypt") if getattr(intent, option) and not getattr(driver, option)]
    found += [Finding(f"The driver of this site knows no {option}.", f"Leave the option {option} away.") for option in lacking]
    return tuple(found)


def mode_suits_state(case: OptionCase) -> Findings:
    """Each mode is for certain states (CSV-13, PCD-06, CAS-03, CAS-52). Of a live move by host alone, the rule power_state speaks."""
    vm, mode = case.vm, case.intent.mode
    if vm.power_state is PowerState.UNKNOWN:
        return (Finding(f"In which state VM {vm.name} is, its host could not tell.", "Ask again."),)
    if mode is Mode.OFFLINE and vm.is_active:
        text = f"VM {vm.name} is {vm.power_state.value}, and mode offline is for VMs that are off."
        return (Finding(text, "Give mode live, or mode cold with allow_downtime."),)
    if vm.is_active or mode in (Mode.OFFLINE, Mode.COLD) or (mode is Mode.LIVE and case.intent.type is MigrationType.HOST):
        return NOTHING
    text = f"VM {vm.name} is {vm.power_state.value}, and mode {mode.value} is for VMs that run or are paused in memory."
    return (Finding(text, "Give mode offline: it stays as it is."),)


def downtime_agreed(case: OptionCase) -> Findings:
    """A guest is never stopped or paused without consent (PCD-07, CAS-22). A paused one loses nothing when it is moved suspended."""
    vm, intent = case.vm, case.intent
    if not vm.is_active or intent.allow_downtime or vm.policy.allow_downtime:
        return NOTHING
    if intent.mode is Mode.COLD:
        acts = f"would be stopped for a cold move; it is {vm.power_state.value} now"
    elif intent.mode is Mode.SUSPENDED and case.is_running:
        acts = "would be paused for the whole of its move"
    elif intent.mode is Mode.LIVE and intent.on_timeout is TimeoutAction.SUSPEND and case.is_running:
        acts = "would be paused, should its move exceed the timeout (on_timeout: suspend)"
    else:
        return NOTHING
    return (Finding(f"VM {vm.name} {acts}.", "Give allow_downtime, or move it live."),)


def storage_stays_on_host(case: OptionCase) -> Findings:
    """A move of storage alone has no target host (CAS-31)."""
    if case.intent.type is not MigrationType.STORAGE or case.target is None or case.target.name == case.vm.host:
        return NOTHING
    text = f"A move of storage alone leaves VM {case.vm.name} on host {case.vm.host}, and {case.target.name} is given as its target."
    return (Finding(text, "Leave target_host away, or give type host_storage."),)


def storage_options(intent: Intent) -> tuple[str, ...]:
    """The options given that only a move of storage can heed."""
    given = {
        "volume": intent.volume,
        "volume_pools": intent.volume_pools,
        "root_pool": intent.root_pool,
        "single_pool": intent.single_pool,
        "new_storage_class": intent.new_storage_class,
        "volume_format": intent.volume_format is not VolumeFormat.SAME,
        "flatten": intent.flatten,
    }
    return tuple(name for name, value in given.items() if value)


def host_alone(case: OptionCase) -> Findings:
    """Options about pools and volumes contradict a move by host (CSV-02)."""
    given = storage_options(case.intent)
    if case.intent.type is not MigrationType.HOST or not given:
        return NOTHING
    text = f"A move by host leaves every volume of VM {case.vm.name} where it is, and {', '.join(given)} asks for more."
    return (Finding(text, "Leave that away, or give type host_storage."),)


def timeout_needs_post_copy(case: OptionCase) -> Findings:
    """A move can only switch to post-copy if it was started so that it may (libvirt: the flag is given at the start)."""
    if case.intent.on_timeout is not TimeoutAction.POST_COPY or case.intent.post_copy:
        return NOTHING
    return (Finding("on_timeout: post_copy is given without post_copy.", "Give post_copy: true as well, or another on_timeout."),)
