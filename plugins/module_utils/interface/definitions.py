# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of definitions: kept by ``site_info`` on a schedule, read by a recovery on the day on which a host is dead."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ..drivers.driver import EVERYTHING, Driver
from ..model.codec import decode, encode
from ..model.errors import InputError
from ..model.host import HostState
from ..model.reason import Reason, warning
from ..model.recovery import FORM, Definitions
from .files import as_text, read_data, write_text

_HINT = "Name the file that site_info wrote with definitions_dest."
_OWNER_ONLY = 0o600


def read_definitions(path: str, driver: str) -> Definitions:
    """The definitions of a file. Raises InputError for a file that cannot be read, is none, or is of another driver."""
    return _read(Path(path).expanduser(), "definitions", driver)


def keep_definitions(path: str, driver: Driver, *, check_mode: bool) -> tuple[bool, tuple[Reason, ...]]:
    """Write what the hosts that answer say now; hosts that do not keep what the file said of them. True where that changed anything but times.

    Raises InputError where the file is there and is none of ours: it may be somebody's data.
    """
    target = Path(path).expanduser()
    old = _read(target, "definitions_dest", driver.name) if target.exists() else None
    site = dataclasses.replace(driver.snapshot(EVERYTHING), driver=driver.name)
    taken = {host.name: site.taken_at for host in site.hosts if host.state is not HostState.UNREACHABLE}
    ids = {vm.id for vm in site.vms}
    texts = {vm_id: text for vm_id, text in driver.definitions().items() if vm_id in ids}
    fresh, warnings = _with_the_silent(Definitions(site, texts, taken), old)
    changed = old is None or _without_times(old) != _without_times(fresh)
    if not check_mode:
        write_text(target, as_text(encode(fresh), target), "definitions_dest", mode=_OWNER_ONLY)
    return changed, warnings


def _with_the_silent(fresh: Definitions, old: Definitions | None) -> tuple[Definitions, tuple[Reason, ...]]:
    """Hosts that do not answer now may be dead: just then, what is known of their VMs must not be lost."""
    silent = tuple(host.name for host in fresh.site.hosts if host.state is HostState.UNREACHABLE)
    kept = tuple(name for name in silent if old is not None and name in old.taken_at)
    warnings = tuple(_not_read(name, known=name in kept) for name in silent)
    if old is None or not kept:
        return fresh, warnings
    here, pools = fresh.site.vm_by_id, fresh.site.pool_by_id
    vms = tuple(vm for vm in old.site.vms if vm.host in kept and vm.id not in here)
    site = dataclasses.replace(
        fresh.site,
        hosts=tuple(old.site.host_by_name[host.name] if host.name in kept else host for host in fresh.site.hosts),
        pools=fresh.site.pools + tuple(pool for pool in old.site.pools if pool.id not in pools),
        vms=fresh.site.vms + vms,
    )
    texts = {**{vm.id: old.texts[vm.id] for vm in vms if vm.id in old.texts}, **fresh.texts}
    return Definitions(site, texts, {**{name: old.taken_at[name] for name in kept}, **fresh.taken_at}), warnings


def _not_read(name: str, *, known: bool) -> Reason:
    what = "the file keeps what it said of its VMs before" if known else "the file says nothing of its VMs"
    return warning("definitions_not_read", f"Host {name} does not answer; {what}.", "Make it answer, or recover its VMs if it is dead.")


def _read(path: Path, option: str, driver: str) -> Definitions:
    data = read_data(path, option)
    if not isinstance(data, dict) or "site" not in data or "texts" not in data:
        raise InputError(option, f"{str(path)!r} holds no definitions.", code="definitions_invalid", hint=_HINT)
    if data.get("form", FORM) != FORM:
        raise InputError(option, f"{str(path)!r} has the form {data['form']!r}; this version reads {FORM}.", code="definitions_invalid", hint=_HINT)
    found = decode(Definitions, data, option)
    if found.site.driver != driver:
        text = f"{str(path)!r} was written with the driver {found.site.driver or '(none)'}, not {driver}."
        raise InputError(option, text, code="definitions_invalid", hint=_HINT)
    return found


def _without_times(definitions: Definitions) -> Any:
    site = dataclasses.replace(definitions.site, taken_at=0.0)
    return encode(Definitions(site, definitions.texts))
