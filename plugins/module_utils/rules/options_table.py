# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of the rulebook about what is asked for: type, mode and options of one move. Each combination gives an error, a warning or silence."""

from __future__ import annotations

from . import option_effect, option_post_copy, option_state
from .levels import HARD, OFF, WARN, asks
from .rule import About, Profile, Rule

_MOVE = ("intent.type", "intent.mode")
_STATE = ("vm.power_state",)
_POST_COPY = ("intent.post_copy",)
_LINKS = tuple(f"{end}.{fact}" for end in ("source", "host") for fact in ("migration_address", "migration_link_mbps", "management_link_mbps"))
_STORAGE = tuple(f"intent.{name}" for name in ("volume", "volume_pools", "root_pool", "single_pool", "new_storage_class", "volume_format", "flatten"))

# Columns: as in rulebook.py; ``intent.`` is what is asked for, ``host.`` the target.
OPTION_RULES: tuple[Rule, ...] = (
    Rule("capability_missing", About.OPTIONS, option_state.able, HARD, (*_MOVE, *_POST_COPY, "intent.encrypt"), ("CSV-01",)),
    Rule("state_mismatch", About.OPTIONS, option_state.mode_suits_state, HARD, (*_MOVE, *_STATE), ("CSV-13", "CSH-37", "PCD-06", "CAS-03")),
    Rule(
        "downtime_not_allowed",
        About.OPTIONS,
        option_state.downtime_agreed,
        asks("allow_downtime"),
        ("intent.mode", "intent.on_timeout", "intent.allow_downtime", *_STATE, "vm.policy"),
        ("PCD-07", "CSV-13", "CAS-22"),
    ),
    Rule("target_host_with_storage", About.OPTIONS, option_state.storage_stays_on_host, HARD, ("intent.type",), ("CAS-31", "CSV-02")),
    Rule("storage_option_on_host_move", About.OPTIONS, option_state.host_alone, HARD, ("intent.type", *_STORAGE), ("CSV-02",)),
    Rule("timeout_needs_post_copy", About.OPTIONS, option_state.timeout_needs_post_copy, HARD, ("intent.on_timeout", *_POST_COPY), ("CAS-22",)),
    Rule("post_copy_type", About.OPTIONS, option_post_copy.by_host_alone, HARD, (*_POST_COPY, *_MOVE), ("CAS-33",)),
    Rule("post_copy_suspended", About.OPTIONS, option_post_copy.running, HARD, (*_POST_COPY, *_STATE), ("CAS-39", "CAS-52")),
    Rule("post_copy_dpdk", About.OPTIONS, option_post_copy.no_fast_path_nics, WARN, (*_POST_COPY, "vm.nics"), ("CAS-37",), {Profile.CAS: HARD}),
    Rule("post_copy_vgpu", About.OPTIONS, option_post_copy.no_virtual_gpu, HARD, (*_POST_COPY, "vm.host_devices"), ("CAS-38",)),
    Rule(
        "post_copy_hugepage_size",
        About.OPTIONS,
        option_post_copy.equal_huge_pages,
        HARD,
        (*_POST_COPY, "vm.hugepage_kib", "source.hugepage_kib", "host.hugepage_kib"),
        ("CAS-40",),
    ),
    Rule(
        "post_copy_hugepage_1g",
        About.OPTIONS,
        option_post_copy.huge_pages_over_a_fast_link,
        WARN,
        (*_POST_COPY, "vm.hugepage_kib", "site.links", *_LINKS),
        ("CAS-41",),
        {Profile.CAS: HARD},
    ),
    Rule(
        "host_restart_pending",
        About.OPTIONS,
        option_post_copy.restart_done,
        WARN,
        (*_POST_COPY, "source.restart_pending", "host.restart_pending"),
        ("CAS-35",),
        {Profile.CAS: HARD},
    ),
    Rule(
        "post_copy_mixed_versions",
        About.OPTIONS,
        option_post_copy.one_version_on_arm,
        WARN,
        (*_POST_COPY, "source.architecture", "source.hypervisor_version", "host.hypervisor_version"),
        ("CAS-36",),
        {Profile.CAS: HARD},
    ),
    Rule("post_copy_risk", About.OPTIONS, option_post_copy.may_lose_the_vm, WARN, _POST_COPY, ("CAS-34",)),
    Rule("encrypt_type", About.OPTIONS, option_effect.encrypted_between_hosts, HARD, ("intent.encrypt", "intent.type"), ("CAS-45",)),
    Rule("encrypt_state", About.OPTIONS, option_effect.encrypted_in_memory, HARD, ("intent.encrypt", "intent.mode", *_STATE), ("CAS-45", "CAS-52")),
    Rule("auto_converge_ignored", About.OPTIONS, option_effect.slowing_helps, WARN, ("intent.auto_converge", *_MOVE, *_STATE), ("CAS-44",)),
    Rule("speed_type", About.OPTIONS, option_effect.speed_of_storage, WARN, ("intent.speed_mib_s", "intent.type"), ("CAS-49",), {Profile.CAS: HARD}),
    Rule(
        "speed_ignored_between_rbd",
        About.OPTIONS,
        option_effect.speed_between_rbd,
        OFF,
        ("intent.speed_mib_s", *_MOVE, *_STATE, "pool.kind"),
        ("CAS-50",),
        {Profile.CAS: WARN},
        reason_code="speed_ignored",
    ),
    Rule(
        "speed_ignored_with_snapshots",
        About.OPTIONS,
        option_effect.speed_with_snapshots,
        OFF,
        ("intent.speed_mib_s", *_MOVE, *_STATE, "vm.snapshots"),
        ("CAS-51",),
        {Profile.CAS: WARN},
        reason_code="speed_ignored",
    ),
    Rule(
        "snapshots_with_storage",
        About.OPTIONS,
        option_effect.snapshots_stay_behind,
        HARD,
        (*_MOVE, *_STATE, "vm.snapshots"),
        (),
        {Profile.CAS: OFF},
        reason_code="has_snapshots",
    ),
    Rule("io_degradation", About.OPTIONS, option_effect.guest_input_output, WARN, (*_MOVE, *_STATE), ("CAS-21",)),
)
