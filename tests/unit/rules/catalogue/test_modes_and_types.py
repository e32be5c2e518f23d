# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Types, modes and states: what is asked for agrees in itself, with the VM and with the driver."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.capabilities import Capabilities
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import VolumeFormat
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState, Vm, VmPolicy
from ansible_collections.vmops.migration.plugins.module_utils.rules.options import type_of

from tests.unit.rules.options_world import BY_BOTH, BY_STORAGE, COLD, FULL, OFF, PAUSED, RUNNING, asked, is_error, ordinary, refused

LIBVIRT = Capabilities()
SAVED = ordinary(power_state=PowerState.SAVED)


@pytest.mark.rule("CSV-01", sign="+")
@pytest.mark.parametrize("kind", list(MigrationType))
@pytest.mark.parametrize("mode", list(Mode))
def test_a_driver_that_can_do_everything_lacks_nothing(kind: MigrationType, mode: Mode) -> None:
    assert "capability_missing" not in asked(RUNNING, type=kind, mode=mode, capabilities=FULL)


@pytest.mark.rule("CSV-01", sign="-")
@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        ({"mode": Mode.COLD}, "mode cold"),
        ({"mode": Mode.SUSPENDED}, "mode suspended"),
        ({"mode": Mode.OFFLINE}, "mode offline"),
        (BY_STORAGE, "the storage"),
        (BY_BOTH, "host and storage"),
        ({"post_copy": True}, "no post_copy"),
        ({"encrypt": True}, "no encrypt"),
    ],
)
def test_what_the_driver_lacks_is_refused_by_name(wanted: dict[str, object], missing: str) -> None:
    reason = asked(RUNNING, capabilities=LIBVIRT, **wanted)["capability_missing"]  # type: ignore[arg-type]
    assert is_error(reason)
    assert missing in reason.message
    assert "capability_missing" not in asked(RUNNING, capabilities=LIBVIRT)


@pytest.mark.rule("CSV-02", sign="+")
def test_the_type_follows_from_what_changes() -> None:
    assert type_of(changes_host=True, changes_pools=False) is MigrationType.HOST
    assert type_of(changes_host=False, changes_pools=True) is MigrationType.STORAGE
    assert type_of(changes_host=True, changes_pools=True) is MigrationType.HOST_STORAGE
    assert not refused(asked(RUNNING, volume_pools={"vda": "nfs-a"}, **BY_BOTH))


@pytest.mark.rule("CSV-02", sign="-")
@pytest.mark.parametrize(
    "option",
    [
        {"volume": "vda"},
        {"volume_pools": {"vda": "nfs-a"}},
        {"root_pool": "nfs-a"},
        {"single_pool": True},
        {"volume_format": VolumeFormat.RAW},
        {"flatten": True},
    ],
    ids=lambda option: next(iter(option)),
)
def test_options_about_storage_contradict_a_move_by_host(option: dict[str, object]) -> None:
    reason = asked(RUNNING, **option)["storage_option_on_host_move"]  # type: ignore[arg-type]
    assert is_error(reason)
    assert next(iter(option)) in reason.message


@pytest.mark.rule("CSV-02", sign="-")
def test_a_move_that_changes_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="neither the host nor a pool"):
        type_of(changes_host=False, changes_pools=False)


@pytest.mark.rule("CSV-13", sign="+")
@pytest.mark.rule("CAS-03", sign="+")
@pytest.mark.parametrize("kind", list(MigrationType))
def test_a_vm_that_is_off_moves_offline_or_cold(kind: MigrationType) -> None:
    assert not asked(OFF, type=kind, mode=Mode.OFFLINE)
    assert not asked(OFF, type=kind, mode=Mode.COLD)


@pytest.mark.rule("CSV-13", sign="-")
@pytest.mark.rule("CAS-03", sign="-")
def test_a_running_vm_is_not_moved_as_if_it_were_off() -> None:
    for kind in MigrationType:
        assert is_error(asked(RUNNING, type=kind, mode=Mode.OFFLINE)["state_mismatch"])
    assert refused(asked(RUNNING, mode=Mode.COLD, type=MigrationType.STORAGE)) == {"downtime_not_allowed"}


@pytest.mark.rule("CSH-37", sign="-")
@pytest.mark.parametrize("subject", [RUNNING, PAUSED], ids=["running", "paused"])
def test_a_volume_of_a_running_vm_needs_the_word_live(subject: Vm) -> None:
    reason = asked(subject, "cloudstack_hyperv", type=MigrationType.STORAGE, mode=Mode.OFFLINE, volume="vda")["state_mismatch"]
    assert is_error(reason)
    assert "mode live" in reason.hint


@pytest.mark.rule("CSH-37", sign="+")
def test_with_the_word_live_it_moves() -> None:
    assert not refused(asked(RUNNING, "cloudstack_hyperv", type=MigrationType.STORAGE, volume="vda"))


@pytest.mark.rule("PCD-06", sign="+")
@pytest.mark.parametrize("subject", [OFF, SAVED], ids=["off", "saved"])
def test_a_cold_move_takes_vms_that_are_off_or_saved(subject: Vm) -> None:
    assert not asked(subject, "pcd", **COLD)
    assert not asked(PAUSED, "pcd", mode=Mode.SUSPENDED)


@pytest.mark.rule("PCD-06", sign="-")
@pytest.mark.parametrize("subject", [OFF, SAVED], ids=["off", "saved"])
def test_a_vm_without_memory_is_neither_suspended_nor_copied_live(subject: Vm) -> None:
    assert is_error(asked(subject, "pcd", mode=Mode.SUSPENDED)["state_mismatch"])
    assert is_error(asked(subject, "pcd", **BY_BOTH)["state_mismatch"])
    unknown = ordinary(power_state=PowerState.UNKNOWN)
    assert is_error(asked(unknown, "pcd", mode=Mode.OFFLINE)["state_mismatch"])


@pytest.mark.rule("PCD-07", sign="-")
@pytest.mark.parametrize("mode", [Mode.COLD, Mode.SUSPENDED])
def test_a_running_vm_is_not_stopped_or_paused_without_consent(mode: Mode) -> None:
    reason = asked(RUNNING, "pcd", mode=mode)["downtime_not_allowed"]
    assert (reason.blocks, reason.overridable) == (True, "allow_downtime")
    assert not is_error(reason)
    assert "downtime_not_allowed" in refused(asked(PAUSED, "pcd", mode=Mode.COLD)), "a cold move loses what a paused VM has in memory"


@pytest.mark.rule("PCD-07", sign="+")
def test_consent_is_given_per_vm_or_with_what_is_asked() -> None:
    willing = ordinary(policy=VmPolicy(allow_downtime=True))
    assert not asked(willing, "pcd", **COLD)
    assert not asked(RUNNING, "pcd", mode=Mode.COLD, allow_downtime=True)
    assert not refused(asked(RUNNING, "pcd", mode=Mode.COLD, consents=frozenset({"allow_downtime"})))
    assert not asked(PAUSED, "pcd", mode=Mode.SUSPENDED), "it is paused already"
