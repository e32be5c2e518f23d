# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a module's options to the intent that rules and planner judge: type, mode, which volume goes where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model.errors import InputError
from ..model.intent import Intent, Purpose, StorageClass, TimeoutAction, VolumeFormat
from ..model.migration import MigrationType, Mode
from ..rules.options import speed_named, type_of
from .ranges import check_numbers

HOST_OPTIONS = ("target_host", "source_host", "avoid")
"""Options that say which host to go to, or to leave."""


def intent_of(params: Mapping[str, Any], purpose: Purpose = Purpose.MANUAL) -> Intent:
    """The intent of the options of ``arguments.intent_spec``, and of those of ``move_spec`` that rules judge, as far as the module has them.

    Raises InputError for a volume or pool without a name; whether they exist is asked when the site is known.
    """
    volume_pools = params.get("volume_pools") or {}
    for volume, pool in volume_pools.items():
        if not str(volume).strip() or not isinstance(pool, str) or not pool.strip():
            raise InputError(f"volume_pools.{volume}", f"{pool!r} is not the name of a pool.", hint="Give volume: pool.")
    if params.get("single_pool") and not params.get("target_pool"):
        raise InputError("single_pool", "no pool is named that all volumes should go into.", hint="Give target_pool, or leave single_pool out.")
    storage_class, kind = params.get("storage_class"), type_of_params(params)
    return Intent(
        type=kind,
        mode=Mode(params.get("mode") or "live"),
        purpose=purpose,
        volume=params.get("volume") or "",
        volume_pools={str(volume): pool for volume, pool in volume_pools.items()},
        root_pool=params.get("target_pool") or "",
        single_pool=bool(params.get("single_pool")),
        new_storage_class=StorageClass(storage_class) if storage_class else None,
        volume_format=VolumeFormat(params.get("volume_format") or "same"),
        flatten=bool(params.get("flatten")),
        network_map=_network_map(params.get("network_map") or {}),
        speed_mib_s=speed_of(params),
        allow_downtime=bool(params.get("allow_downtime")),
        allow_system_vm=bool(params.get("allow_system_vm")),
        post_copy=bool(params.get("post_copy")),
        auto_converge=bool(params.get("auto_converge")),
        encrypt=bool(params.get("encrypt")),
        on_timeout=TimeoutAction(params.get("on_timeout") or "abort"),
        timeout_seconds=params.get("timeout_seconds" if kind is MigrationType.HOST else "storage_timeout_seconds"),
    )


def type_of_params(params: Mapping[str, Any]) -> MigrationType:
    """The type that is asked for, or that follows from what is given (CSV-02). A module that knows no options for hosts asks about them all."""
    if params.get("type"):
        return MigrationType(params["type"])
    changes_pools = any(params.get(name) for name in ("target_pool", "volume_pools", "storage_class", "source_pool"))
    changes_host = any(params.get(name) for name in HOST_OPTIONS) or not any(name in params for name in HOST_OPTIONS)
    return type_of(changes_host, changes_pools) if changes_host or changes_pools else MigrationType.HOST


def speed_of(params: Mapping[str, Any]) -> int:
    """MiB per second that the copying of one move's disks may use, of the option ``speed`` (0: no cap). Raises InputError for what is no speed."""
    named = params.get("speed")
    return 0 if named is None else speed_named(str(named))


def check_intent(params: Mapping[str, Any]) -> Intent:
    """``check_numbers`` and ``intent_of`` in one step, before any connection is made."""
    check_numbers(params)
    return intent_of(params)


def _network_map(given: Mapping[str, Any]) -> dict[str, str]:
    for source, target in given.items():
        if not isinstance(target, str) or not target.strip():
            raise InputError(f"network_map.{source}", f"{target!r} is not the name of a network.", hint="Give network: network.")
    return {str(source): target for source, target in given.items()}
