# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The argument specs of all modules. What each option means stands in ``doc_fragments/`` and in the modules; a test keeps the two alike."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.parameters import env_fallback

from ..model.intent import StorageClass, TimeoutAction, VolumeFormat
from ..model.migration import MigrationType, Mode
from ..model.request import MoveOptions, OnDeadline, OnFailure, Transport, VerifyCopy

Spec = dict[str, dict[str, Any]]

SCOPES = ("cluster", "pod", "zone", "site")
MODES = tuple(mode.value for mode in Mode)
COMPRESSIONS = ("none", "xbzrle", "mt", "zstd")

_MOVE = MoveOptions()


def site_spec() -> Spec:
    """The option ``site``. Its mappings by name (hosts, pools, vms, links, limits) are checked by ``opening.py``, which names the path of a wrong field."""
    return {
        "site": {
            "type": "dict",
            "required": True,
            "options": {
                "driver": {"type": "str", "required": True},
                "profile": {"type": "str", "default": "generic"},
                "hosts": {"type": "dict"},
                "pools": {"type": "dict"},
                "vms": {"type": "dict"},
                "links": {"type": "dict"},
                "limits": {"type": "dict"},
                "overlay_file": {"type": "path"},
                "simulator": {
                    "type": "dict",
                    "options": {
                        "world": {"type": "path", "required": True},
                        "state_file": {"type": "path"},
                        "speed": {"type": "float", "default": 1.0},
                    },
                },
                "vsphere": {"type": "dict", "apply_defaults": True, "options": _vsphere_spec()},
                "connect_timeout_seconds": {"type": "float", "default": 15.0},
            },
        }
    }


def _vsphere_spec() -> Spec:
    """How to reach a vCenter server, or a single ESXi host; the environment's variables are those that other VMware modules read."""
    return {
        "hostname": {"type": "str", "fallback": (env_fallback, ["VMWARE_HOST"])},
        "username": {"type": "str", "fallback": (env_fallback, ["VMWARE_USER"])},
        "password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["VMWARE_PASSWORD"])},
        "port": {"type": "int", "default": 443, "fallback": (env_fallback, ["VMWARE_PORT"])},
        "validate_certs": {"type": "bool", "default": True, "fallback": (env_fallback, ["VMWARE_VALIDATE_CERTS"])},
        "ca_path": {"type": "path"},
        "read_tags": {"type": "bool", "default": False},
    }


def target_spec() -> Spec:
    """Where VMs may go."""
    return {
        "scope": {"type": "str", "choices": list(SCOPES), "default": "zone"},
        "target_hosts": {"type": "list", "elements": "str", "default": []},
        "consents": {"type": "list", "elements": "str", "default": []},
    }


def intent_spec(modes: tuple[str, ...] = MODES) -> Spec:
    """What kind of move is asked for, and which volume goes where; the same for every module that finds or moves."""
    return {
        "type": {"type": "str", "choices": [kind.value for kind in MigrationType]},
        "mode": {"type": "str", "choices": list(modes), "default": Mode.LIVE.value},
        "target_pool": {"type": "str"},
        "single_pool": {"type": "bool", "default": False},
        "volume_pools": {"type": "dict"},
        "storage_class": {"type": "str", "choices": [kind.value for kind in StorageClass]},
        "volume_format": {"type": "str", "choices": [kind.value for kind in VolumeFormat], "default": VolumeFormat.SAME.value},
        "flatten": {"type": "bool", "default": False},
        "network_map": {"type": "dict"},
        "allow_downtime": {"type": "bool", "default": False},
        "earlier_results": {"type": "list", "elements": "path", "default": []},
    }


def drain_intent_spec() -> Spec:
    """The part of it that holds for all VMs of a host alike."""
    spec = intent_spec((Mode.LIVE.value, Mode.SUSPENDED.value))
    spec["type"].update(choices=[MigrationType.HOST.value, MigrationType.HOST_STORAGE.value], default=MigrationType.HOST.value)
    return {name: spec[name] for name in ("type", "mode", "flatten", "network_map", "allow_downtime", "earlier_results")}


def move_spec() -> Spec:
    """How moves are made and waited for; the same for every module that moves. Defaults are those of ``MoveOptions``."""
    return {
        "parallel": {"type": "int"},
        "bandwidth_mib_s": {"type": "int"},
        "speed": {"type": "str"},
        "max_downtime_ms": {"type": "int"},
        "auto_converge": {"type": "bool", "default": _MOVE.auto_converge},
        "post_copy": {"type": "bool", "default": _MOVE.post_copy},
        "encrypt": {"type": "bool", "default": _MOVE.encrypt},
        "compression": {"type": "str", "choices": list(COMPRESSIONS), "default": COMPRESSIONS[0]},
        "connections": {"type": "int"},
        "transport": {"type": "str", "choices": [choice.value for choice in Transport], "default": _MOVE.transport.value},
        "timeout_seconds": {"type": "float", "default": _MOVE.timeout_seconds},
        "storage_timeout_seconds": {"type": "float", "default": _MOVE.storage_timeout_seconds},
        "stall_seconds": {"type": "float", "default": _MOVE.stall_seconds},
        "on_timeout": {"type": "str", "choices": [choice.value for choice in TimeoutAction], "default": _MOVE.on_timeout.value},
        "shutdown_seconds": {"type": "float", "default": _MOVE.shutdown_seconds},
        "verify_copy": {"type": "str", "choices": [choice.value for choice in VerifyCopy], "default": _MOVE.verify_copy.value},
        "eject_media": {"type": "bool", "default": _MOVE.eject_media},
        "retries": {"type": "int", "default": _MOVE.retries},
        "deadline": {"type": "str"},
        "on_deadline": {"type": "str", "choices": [choice.value for choice in OnDeadline], "default": _MOVE.on_deadline.value},
        "claim_wait_seconds": {"type": "float", "default": _MOVE.claim_wait_seconds},
        "why": {"type": "str", "default": ""},
        "result_file": {"type": "path"},
    }


def find_spec() -> Spec:
    """Options of ``find_migration_targets``."""
    return {
        **site_spec(),
        "vm": {"type": "str"},
        "volume": {"type": "str"},
        **intent_spec(),
        **target_spec(),
        "include_excluded": {"type": "bool", "default": False},
        "only_suitable": {"type": "bool", "default": False},
        "limit": {"type": "int"},
    }


def migrate_spec() -> Spec:
    """Options of ``vm_migrate``."""
    return {
        **site_spec(),
        "vm": {"type": "str", "required": True},
        "target_host": {"type": "str"},
        "source_host": {"type": "str"},
        "state": {"type": "str", "choices": ["migrated", "cancelled"], "default": "migrated"},
        "source_pool": {"type": "str"},
        "avoid": {"type": "list", "elements": "str", "default": []},
        "allow_system_vm": {"type": "bool", "default": False},
        "require_explicit_target": {"type": "bool", "default": False},
        **intent_spec(),
        **{name: spec for name, spec in target_spec().items() if name != "target_hosts"},
        **move_spec(),
    }


def volume_spec() -> Spec:
    """Options of ``volume_migrate``."""
    intent = intent_spec()
    return {
        **site_spec(),
        "volume": {"type": "str", "required": True},
        "vm": {"type": "str"},
        "source_pool": {"type": "str"},
        "live": {"type": "bool", "default": False},
        **{name: intent[name] for name in ("target_pool", "storage_class", "volume_format", "flatten")},
        "consents": target_spec()["consents"],
        **move_spec(),
    }


def system_vm_spec() -> Spec:
    """Options of ``systemvm_migrate``."""
    return {
        **site_spec(),
        "vm": {"type": "str", "required": True},
        "target_host": {"type": "str"},
        "target_pool": {"type": "str"},
        "auto_select": {"type": "bool"},
        "source_host": {"type": "str"},
        "source_pool": {"type": "str"},
        "consents": target_spec()["consents"],
        **move_spec(),
    }


def evacuate_spec() -> Spec:
    """Options of ``host_evacuate``."""
    return {
        **site_spec(),
        "hosts": {"type": "list", "elements": "str", "required": True},
        "state": {"type": "str", "choices": ["evacuated", "maintenance", "available", "returned", "cancelled"], "default": "evacuated"},
        "purpose": {"type": "str", "choices": ["drain", "recover"], "default": "drain"},
        "definitions": {"type": "path"},
        "fenced": {"type": "bool", "default": False},
        "fenced_by": {"type": "str"},
        **drain_intent_spec(),
        "select": {"type": "str"},
        "order_by": {"type": "str"},
        **target_spec(),
        "allow_partial": {"type": "bool", "default": False},
        "on_failure": {"type": "str", "choices": [choice.value for choice in OnFailure], "default": OnFailure.REOPEN.value},
        "approved_plan": {"type": "raw"},
        "on_plan_change": {"type": "str", "choices": ["fail", "replan"], "default": "fail"},
        **move_spec(),
    }


def pool_spec() -> Spec:
    """Options of ``pool_evacuate``. Copies take in what they rest on unless the operator says otherwise: a pool that is retired must not be needed any more."""
    intent = intent_spec((Mode.LIVE.value, Mode.SUSPENDED.value, Mode.COLD.value))
    intent["type"].update(choices=[MigrationType.STORAGE.value, MigrationType.HOST_STORAGE.value], default=MigrationType.STORAGE.value)
    intent["flatten"]["default"] = True
    names = ("type", "mode", "storage_class", "volume_format", "flatten", "network_map", "allow_downtime", "earlier_results")
    return {
        **site_spec(),
        "pools": {"type": "list", "elements": "str", "required": True},
        "state": {"type": "str", "choices": ["evacuated", "maintenance", "available", "cancelled"], "default": "evacuated"},
        **{name: intent[name] for name in names},
        "target_pools": {"type": "list", "elements": "str", "default": []},
        "select": {"type": "str"},
        "order_by": {"type": "str"},
        **target_spec(),
        "allow_partial": {"type": "bool", "default": False},
        "on_failure": {"type": "str", "choices": [choice.value for choice in OnFailure], "default": OnFailure.REOPEN.value},
        "orphans": {"type": "str", "choices": ["keep", "delete"], "default": "keep"},
        "delete_orphans": {"type": "list", "elements": "str", "default": []},
        "approved_plan": {"type": "raw"},
        "on_plan_change": {"type": "str", "choices": ["fail", "replan"], "default": "fail"},
        **move_spec(),
    }


def info_spec() -> Spec:
    """Options of ``site_info``."""
    return {
        **site_spec(),
        "hosts": {"type": "list", "elements": "str", "default": []},
        "vms": {"type": "list", "elements": "str", "default": []},
        "dest": {"type": "path"},
        "definitions_dest": {"type": "path"},
    }
