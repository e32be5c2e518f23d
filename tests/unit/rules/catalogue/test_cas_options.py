# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""H3C CAS: encryption, speed, slowing the guest down, and what happens when time is up."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent, TimeoutAction
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType, Mode, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState, Vm
from ansible_collections.vmops.migration.plugins.module_utils.rules.options import speed_named, timeout_of, uncapped_bytes

from tests.unit.rules.options_world import (
    BY_BOTH,
    BY_STORAGE,
    FROM_RBD_TO_RBD,
    OFF,
    PAUSED,
    RBD_POOLS,
    RUNNING,
    asked,
    is_error,
    is_warning,
    ordinary,
    refused,
)
from tests.unit.rules.world import host

PROFILES = ("generic", "cas")


def uncapped(found: dict[str, Reason], volumes: tuple[VolumeMove, ...]) -> int:
    """Bytes that are copied at full speed, by what was said of the options."""
    return uncapped_bytes(Intent(speed_mib_s=20), found.values(), Site(pools=RBD_POOLS), volumes)


@pytest.mark.rule("CAS-45", sign="+")
@pytest.mark.rule("CAS-52", sign="+")
@pytest.mark.parametrize("subject", [RUNNING, PAUSED], ids=["running", "paused"])
@pytest.mark.parametrize("kind", [MigrationType.HOST, MigrationType.HOST_STORAGE])
def test_running_and_paused_vms_may_be_encrypted_on_their_way_to_another_host(subject: Vm, kind: MigrationType) -> None:
    assert not refused(asked(subject, "cas", type=kind, encrypt=True))


@pytest.mark.rule("CAS-45", sign="-")
@pytest.mark.parametrize("profile", PROFILES)
def test_a_move_of_storage_alone_cannot_be_encrypted(profile: str) -> None:
    assert is_error(asked(RUNNING, profile, encrypt=True, **BY_STORAGE)["encrypt_type"])
    assert "encrypt_type" not in asked(RUNNING, profile, **BY_STORAGE)


@pytest.mark.rule("CAS-45", sign="-")
@pytest.mark.parametrize("state", [PowerState.OFF, PowerState.SAVED])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_vm_that_holds_no_memory_cannot_be_encrypted(state: PowerState, profile: str) -> None:
    assert is_error(asked(ordinary(power_state=state), profile, mode=Mode.OFFLINE, encrypt=True)["encrypt_state"])


@pytest.mark.rule("CAS-45", sign="-")
@pytest.mark.parametrize("profile", PROFILES)
def test_a_vm_that_is_stopped_for_its_move_has_no_memory_to_encrypt(profile: str) -> None:
    found = asked(RUNNING, profile, mode=Mode.COLD, allow_downtime=True, encrypt=True)
    assert is_error(found["encrypt_state"])
    assert "cold" in found["encrypt_state"].message


@pytest.mark.rule("CAS-45", sign="+")
def test_a_vm_that_is_suspended_for_its_move_may_be_encrypted() -> None:
    assert not refused(asked(RUNNING, "cas", mode=Mode.SUSPENDED, allow_downtime=True, encrypt=True))


@pytest.mark.rule("CAS-44", sign="+")
@pytest.mark.parametrize("kind", [MigrationType.HOST, MigrationType.HOST_STORAGE])
def test_a_running_vm_may_be_slowed_down_while_its_host_changes(kind: MigrationType) -> None:
    assert "auto_converge_ignored" not in asked(RUNNING, "cas", type=kind, auto_converge=True)


@pytest.mark.rule("CAS-44", sign="-")
@pytest.mark.parametrize(
    ("subject", "wanted"),
    [(RUNNING, BY_STORAGE), (PAUSED, {}), (OFF, {"mode": Mode.OFFLINE}), (RUNNING, {"mode": Mode.COLD, "allow_downtime": True})],
    ids=["storage", "paused", "off", "cold"],
)
@pytest.mark.parametrize("profile", PROFILES)
def test_slowing_down_is_ignored_with_a_warning_elsewhere(subject: Vm, wanted: dict[str, object], profile: str) -> None:
    assert is_warning(asked(subject, profile, auto_converge=True, **wanted)["auto_converge_ignored"])  # type: ignore[arg-type]


@pytest.mark.rule("CAS-49", sign="+")
@pytest.mark.parametrize("wanted", [BY_STORAGE, BY_BOTH], ids=["storage", "both"])
def test_a_speed_caps_moves_of_storage(wanted: dict[str, object]) -> None:
    found = asked(RUNNING, "cas", speed_mib_s=20, **wanted)  # type: ignore[arg-type]
    assert set(found) == {"io_degradation"}
    assert uncapped(found, FROM_RBD_TO_RBD) == 0


@pytest.mark.rule("CAS-49", sign="+")
def test_speeds_have_names() -> None:
    assert [speed_named(name) for name in ("medium", "fast", "unlimited", "55")] == [20, 30, 0, 55]
    for wrong in ("slow", "0", "-3", "2.5", "²"):
        with pytest.raises(InputError, match=r"speed: .*is not a speed.*medium, fast, unlimited"):
            speed_named(wrong)


@pytest.mark.rule("CAS-49", sign="-")
def test_a_speed_for_a_move_by_host_is_an_error_in_cas_and_a_warning_elsewhere() -> None:
    assert is_error(asked(RUNNING, "cas", speed_mib_s=20)["speed_type"])
    found = asked(RUNNING, "generic", speed_mib_s=20)
    assert is_warning(found["speed_type"])
    assert uncapped(found, FROM_RBD_TO_RBD) == FROM_RBD_TO_RBD[0].bytes_to_copy


@pytest.mark.rule("CAS-50", sign="+")
def test_between_rbd_pools_an_offline_vm_knows_no_speed() -> None:
    found = asked(OFF, "cas", volumes=FROM_RBD_TO_RBD, type=MigrationType.STORAGE, mode=Mode.OFFLINE, speed_mib_s=20)
    assert is_warning(found["speed_ignored"])
    assert uncapped(found, FROM_RBD_TO_RBD) == FROM_RBD_TO_RBD[0].bytes_to_copy


@pytest.mark.rule("CAS-50", sign="+")
def test_neither_does_a_vm_that_is_stopped_for_its_move() -> None:
    cold = {"mode": Mode.COLD, "allow_downtime": True, "speed_mib_s": 20}
    assert is_warning(asked(RUNNING, "cas", volumes=FROM_RBD_TO_RBD, **BY_STORAGE, **cold)["speed_ignored"])  # type: ignore[arg-type]


@pytest.mark.rule("CAS-50", sign="-")
def test_the_cap_is_lifted_for_the_volumes_between_rbd_pools_alone() -> None:
    elsewhere = VolumeMove("web-data", "nfs-a", "rbd-b", 7, "vdb")
    found = asked(OFF, "cas", volumes=(*FROM_RBD_TO_RBD, elsewhere), type=MigrationType.STORAGE, mode=Mode.OFFLINE, speed_mib_s=20)
    assert "web-data" not in found["speed_ignored"].message
    assert "vdb" not in found["speed_ignored"].message
    assert uncapped(found, (*FROM_RBD_TO_RBD, elsewhere)) == FROM_RBD_TO_RBD[0].bytes_to_copy


@pytest.mark.rule("CAS-50", sign="-")
def test_a_volume_that_stays_in_its_rbd_pool_is_not_copied_at_any_speed() -> None:
    stays = (VolumeMove("web-root", "rbd-a", "rbd-a"), VolumeMove("web-data", "nfs-a", "rbd-b", 7))
    assert "speed_ignored" not in asked(OFF, "cas", volumes=stays, type=MigrationType.STORAGE, mode=Mode.OFFLINE, speed_mib_s=20)


@pytest.mark.rule("CAS-50", sign="-")
def test_the_speed_counts_elsewhere_and_where_no_rbd_is_concerned() -> None:
    moves = {"type": MigrationType.STORAGE, "speed_mib_s": 20}
    assert "speed_ignored" not in asked(OFF, "cas", mode=Mode.OFFLINE, **moves)  # type: ignore[arg-type]
    assert "speed_ignored" not in asked(RUNNING, "cas", volumes=FROM_RBD_TO_RBD, **moves)  # type: ignore[arg-type]
    offline = {"volumes": FROM_RBD_TO_RBD, "mode": Mode.OFFLINE, "type": MigrationType.STORAGE}
    assert "speed_ignored" not in asked(OFF, "cas", **offline)  # type: ignore[arg-type]
    assert "speed_ignored" not in asked(OFF, "generic", speed_mib_s=20, **offline)  # type: ignore[arg-type]


@pytest.mark.rule("CAS-51", sign="+")
def test_a_running_vm_with_snapshots_knows_no_speed() -> None:
    subject = ordinary(snapshots=1)
    assert is_warning(asked(subject, "cas", speed_mib_s=20, **BY_STORAGE)["speed_ignored"])
    assert "speed_ignored" not in asked(subject, "generic", speed_mib_s=20, **BY_STORAGE)


@pytest.mark.rule("CAS-51", sign="+")
def test_with_snapshots_no_volume_keeps_to_the_speed() -> None:
    found = asked(ordinary(snapshots=1), "cas", volumes=FROM_RBD_TO_RBD, speed_mib_s=20, **BY_STORAGE)
    assert uncapped(found, FROM_RBD_TO_RBD) == FROM_RBD_TO_RBD[0].bytes_to_copy


@pytest.mark.rule("CAS-51", sign="-")
def test_a_vm_with_snapshots_that_is_stopped_for_its_move_keeps_to_the_speed() -> None:
    cold = {"mode": Mode.COLD, "allow_downtime": True, "speed_mib_s": 20}
    assert "speed_ignored" not in asked(ordinary(snapshots=1), "cas", **BY_STORAGE, **cold)  # type: ignore[arg-type]


@pytest.mark.rule("CAS-51", sign="-")
def test_without_snapshots_or_while_off_the_speed_counts() -> None:
    assert "speed_ignored" not in asked(RUNNING, "cas", speed_mib_s=20, **BY_STORAGE)
    subject = ordinary(snapshots=1, power_state=PowerState.OFF)
    assert "speed_ignored" not in asked(subject, "cas", type=MigrationType.STORAGE, mode=Mode.OFFLINE, speed_mib_s=20)


@pytest.mark.rule("CAS-21", sign="+")
@pytest.mark.parametrize("wanted", [BY_STORAGE, BY_BOTH], ids=["storage", "both"])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_live_move_of_storage_is_warned_of_for_its_slower_disks(wanted: dict[str, object], profile: str) -> None:
    assert is_warning(asked(RUNNING, profile, **wanted)["io_degradation"])  # type: ignore[arg-type]


@pytest.mark.rule("CAS-21", sign="-")
def test_a_move_by_host_or_of_a_vm_that_is_off_is_not() -> None:
    assert "io_degradation" not in asked(RUNNING, "cas")
    assert "io_degradation" not in asked(OFF, "cas", type=MigrationType.STORAGE, mode=Mode.OFFLINE)


@pytest.mark.parametrize("wanted", [BY_STORAGE, BY_BOTH], ids=["storage", "both"])
def test_a_live_copy_of_disks_would_leave_behind_what_snapshots_hold(wanted: dict[str, object]) -> None:
    with_snapshots = ordinary(snapshots=2, snapshots_travel=True)
    assert is_error(asked(with_snapshots, **wanted)["has_snapshots"])  # type: ignore[arg-type]
    assert "has_snapshots" not in asked(with_snapshots, "cas", **wanted)  # type: ignore[arg-type]  # snapshot_pool_kind speaks of each volume there
    assert "has_snapshots" not in asked(ordinary(), **wanted)  # type: ignore[arg-type]
    assert "has_snapshots" not in asked(with_snapshots)
    assert "has_snapshots" not in asked(with_snapshots, **(wanted | {"mode": Mode.COLD, "allow_downtime": True}))  # type: ignore[arg-type]


@pytest.mark.rule("CAS-22", sign="+")
def test_a_move_that_takes_too_long_is_aborted_unless_its_suspension_was_chosen() -> None:
    assert Intent().on_timeout is TimeoutAction.ABORT
    assert not refused(asked(RUNNING, "cas", on_timeout=TimeoutAction.SUSPEND, allow_downtime=True))
    assert not refused(asked(RUNNING, "cas", on_timeout=TimeoutAction.CONTINUE))
    assert not refused(asked(RUNNING, "cas", on_timeout=TimeoutAction.POST_COPY, post_copy=True))


@pytest.mark.rule("CAS-22", sign="-")
@pytest.mark.parametrize("profile", PROFILES)
def test_no_suspension_without_consent_and_no_switch_to_post_copy_without_post_copy(profile: str) -> None:
    assert "downtime_not_allowed" in refused(asked(RUNNING, profile, on_timeout=TimeoutAction.SUSPEND))
    assert is_error(asked(RUNNING, profile, on_timeout=TimeoutAction.POST_COPY)["timeout_needs_post_copy"])


@pytest.mark.rule("CSK-06", sign="+")
def test_moves_of_storage_have_a_day_and_others_an_hour_unless_told() -> None:
    kinds = (MigrationType.HOST, MigrationType.STORAGE, MigrationType.HOST_STORAGE)
    assert [timeout_of(Intent(type=kind)) for kind in kinds] == [3600, 86400, 86400]
    assert timeout_of(Intent(type=MigrationType.HOST_STORAGE, timeout_seconds=10800)) == 10800


@pytest.mark.rule("CAS-31", sign="-")
@pytest.mark.parametrize("profile", PROFILES)
def test_a_move_of_storage_alone_has_no_other_host_as_its_target(profile: str) -> None:
    assert is_error(asked(RUNNING, profile, host("kvm2"), **BY_STORAGE)["target_host_with_storage"])  # type: ignore[arg-type]


@pytest.mark.rule("CAS-31", sign="+")
def test_a_move_of_storage_leaves_the_vm_on_its_host() -> None:
    assert "target_host_with_storage" not in asked(RUNNING, "cas", **BY_STORAGE)
    assert "target_host_with_storage" not in asked(RUNNING, "cas", host("kvm1"), **BY_STORAGE)  # type: ignore[arg-type]
    assert "target_host_with_storage" not in asked(RUNNING, "cas", **BY_BOTH)
