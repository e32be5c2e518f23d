# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of the rulebook about volumes and pools: asked for each volume that is to move, with the pool that it would go to."""

from __future__ import annotations

from . import volume_kind, volume_place
from .levels import HARD, OFF, WARN
from .rule import About, Level, Profile, Rule, Setting

_ON_ITS_HOST = Setting(Level.HARD, parameters={"anywhere_when_off": False})
_CLOUDSTACK = {Profile.CLOUDSTACK_KVM: HARD, Profile.CLOUDSTACK_VMWARE: HARD, Profile.CLOUDSTACK_HYPERV: HARD}
_ONLINE = ("vm.power_state", "intent.mode")
_MOVE = (*_ONLINE, "intent.type")
_ENDS = ("volume.pool", "pool.scope")
_FORMAT = ("intent.volume_format", "volume.format")

# Columns: as in rulebook.py. ``volume.`` is the volume, ``pool.`` its present or its new pool, ``intent.`` what is asked for.
STORAGE_RULES: tuple[Rule, ...] = (
    Rule(
        "k8s_node_cross_cluster",
        About.PLACE,
        volume_kind.kubernetes_cluster,
        OFF,
        ("vm.labels", "source.cluster", "host.cluster"),
        ("CAS-20",),
        {Profile.CAS: HARD},
    ),
    Rule("volume_outside_pools", About.VOLUME, volume_place.in_a_pool, HARD, ("volume.pool", "volume.path"), reason_code="volume_not_in_pool"),
    Rule("no_worker_host", About.VOLUME, volume_place.worker, HARD, ("host.pools", "host.state"), ("CSV-12",)),
    Rule(
        "target_pool_not_on_host",
        About.VOLUME,
        volume_place.mounted,
        HARD,
        ("host.pools", "host.state", "pool.active", *_MOVE),
        ("CSV-03", "CSK-03", "CSK-08", "CAS-09", "CAS-10", "CAS-29", "CAS-30"),
        {Profile.CAS: _ON_ITS_HOST},
        reason_code="pool_not_on_host",
    ),
    Rule("pool_in_maintenance", About.VOLUME, volume_place.open_to_volumes, HARD, ("pool.maintenance",), ("CSK-08",)),
    Rule("pool_closed", About.VOLUME, volume_place.written_to, HARD, ("pool.closed_because",)),
    Rule(
        "storage_class_conflict",
        About.VOLUME,
        volume_place.class_kept,
        WARN,
        (*_ENDS, "intent.new_storage_class"),
        ("CSH-11", "CSH-12", "CSH-21"),
        _CLOUDSTACK,
    ),
    Rule(
        "local_volume_live_move",
        About.VOLUME,
        volume_place.local_live,
        OFF,
        (*_ENDS, *_MOVE),
        ("CSH-05", "CSH-07", "CSH-22"),
        {Profile.CLOUDSTACK_HYPERV: HARD},
    ),
    Rule("storage_tag_mismatch", About.VOLUME, volume_place.tags, HARD, ("volume.tags", "pool.tags"), ("CSH-14", "CSV-04")),
    Rule(
        "insufficient_storage",
        About.VOLUME,
        volume_place.room,
        HARD,
        ("volume.capacity_bytes", "pool.free_bytes", *_FORMAT),
        ("CAS-15", "CAS-16", "CAS-17"),
    ),
    Rule(
        "system_vm_pool_pod",
        About.VOLUME,
        volume_place.pod_of_system_vm,
        HARD,
        ("vm.kind", "source.pod", "pool.scope", "pool.pod", "host.pod", "host.pools"),
        ("CSV-08", "CSV-10"),
        reason_code="system_vm_pod_mismatch",
    ),
    Rule(
        "system_vm_pool_given",
        About.VOLUME,
        volume_kind.system_vm_state,
        HARD,
        ("vm.kind", "intent.root_pool", "intent.volume_pools", *_MOVE),
        ("CSV-17", "CSV-19"),
        reason_code="state_mismatch",
    ),
    Rule(
        "cluster_mismatch",
        About.VOLUME,
        volume_place.host_in_cluster,
        OFF,
        ("source.cluster", "host.cluster", *_MOVE),
        ("CSK-03", "CSK-05"),
        {Profile.CLOUDSTACK_KVM: HARD},
    ),
    Rule(
        "pool_cluster_mismatch",
        About.VOLUME,
        volume_place.pool_in_cluster,
        OFF,
        ("pool.cluster", "pool.scope", "host.cluster", "host.pools", *_MOVE),
        ("CSH-06",),
        {Profile.CLOUDSTACK_HYPERV: HARD},
        reason_code="cluster_mismatch",
    ),
    Rule(
        "same_host_live_storage",
        About.VOLUME,
        volume_kind.another_host,
        OFF,
        _ONLINE,
        ("CSK-03", "CSK-04"),
        {Profile.CLOUDSTACK_KVM: HARD},
        reason_code="same_host",
    ),
    Rule("pool_type_unsupported", About.VOLUME, volume_kind.nfs_only, OFF, ("pool.kind", *_ONLINE), ("CSK-02", "CSK-03"), {Profile.CLOUDSTACK_KVM: HARD}),
    Rule("rbd_online_storage", About.VOLUME, volume_kind.rbd_online, OFF, ("vm.volumes", "pool.kind", *_ONLINE), ("CAS-14",), {Profile.CAS: HARD}),
    Rule("encrypted_online_storage", About.VOLUME, volume_kind.encrypted_online, OFF, ("volume.encrypted", *_ONLINE), ("CAS-25",), {Profile.CAS: HARD}),
    Rule(
        "snapshot_pool_kind",
        About.VOLUME,
        volume_kind.snapshot_kinds,
        OFF,
        ("vm.snapshots", "pool.kind", "pool.identity", "intent.type"),
        ("CAS-19",),
        {Profile.CAS: HARD},
    ),
    Rule("format_change_with_backing", About.VOLUME, volume_kind.format_with_backing, HARD, ("volume.backing", "intent.flatten", *_FORMAT), ("CAS-47",)),
    Rule("format_pool_type", About.VOLUME, volume_kind.format_pool, HARD, ("pool.kind", *_FORMAT), ("CAS-47",)),
)
