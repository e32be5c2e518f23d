# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Admission counts units per host, link and pool, and never exceeds a limit."""

from __future__ import annotations

from ansible_collections.vmops.migration.plugins.module_utils.execution.slots import Slots, units_of
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Limits


def a_move(number: int, source: str = "kvm1", target: str = "kvm2", **facts: object) -> Migration:
    return Migration(f"m{number}", f"u-{number}", f"vm{number}", source, target, **facts)  # type: ignore[arg-type]


def test_a_host_takes_as_many_as_its_limit_in_both_directions_together() -> None:
    slots = Slots(Limits(migrations_per_host=2))
    slots.take(a_move(1))
    slots.take(a_move(2, source="kvm3", target="kvm1"))
    assert not slots.fits(a_move(3, target="kvm4"))
    assert slots.fits(a_move(4, source="kvm2", target="kvm3"))


def test_a_slot_that_comes_free_can_be_taken_at_once() -> None:
    slots = Slots(Limits(migrations_per_host=1))
    slots.take(a_move(1))
    assert not slots.fits(a_move(2))
    slots.give(a_move(1))
    assert slots.fits(a_move(2))


def test_one_host_may_have_a_limit_of_its_own() -> None:
    slots = Slots(Limits(migrations_per_host=8, hosts={"kvm2": 1}))
    slots.take(a_move(1))
    assert not slots.fits(a_move(2))
    assert slots.fits(a_move(3, target="kvm3"))


def test_links_are_counted_once_per_move() -> None:
    slots = Slots(Limits(migrations_per_host=9, links={"rack1": 1}))
    slots.take(a_move(1, links=("rack1",)))
    assert not slots.fits(a_move(2, source="kvm5", target="kvm6", links=("rack1",)))
    assert slots.fits(a_move(3, source="kvm5", target="kvm6", links=("rack2",)))


def test_only_pools_whose_data_is_copied_count() -> None:
    stays, moves = VolumeMove("v1", "nfs", "nfs"), VolumeMove("v2", "kvm1/local", "kvm2/local", 10)
    units = units_of(a_move(1, volumes=(stays, moves)))
    assert [name for kind, name in units if kind == "pool"] == ["kvm1/local", "kvm2/local"]


def test_migrations_of_others_occupy_slots_too() -> None:
    slots = Slots(Limits(migrations_per_host=2))
    slots.count_foreign(["kvm1", "kvm9", "kvm1", "kvm9"])
    assert not slots.fits(a_move(1))
    slots.count_foreign(["kvm1", "kvm9"])
    assert slots.fits(a_move(1))


def test_a_whole_run_may_be_capped() -> None:
    slots = Slots(Limits(migrations_per_host=9), parallel=1)
    slots.take(a_move(1))
    assert not slots.fits(a_move(2, source="kvm5", target="kvm6"))


def test_a_move_that_copies_disks_may_take_several_units_of_its_hosts() -> None:
    slots = Slots(Limits(migrations_per_host=8, storage_migration_units=4))
    copied = (VolumeMove("v1", "kvm1/local", "kvm2/local", 10),)
    slots.take(a_move(1, volumes=copied))
    for number in range(2, 6):
        assert slots.fits(a_move(number))
        slots.take(a_move(number))
    assert not slots.fits(a_move(6))
    slots.give(a_move(1, volumes=copied))
    assert slots.fits(a_move(6, volumes=copied))


def test_a_host_with_fewer_units_than_such_a_move_takes_makes_one_at_a_time() -> None:
    slots = Slots(Limits(migrations_per_host=2, storage_migration_units=4))
    copied = (VolumeMove("v1", "kvm1/local", "kvm2/local", 10),)
    assert slots.fits(a_move(1, volumes=copied))
    slots.take(a_move(1, volumes=copied))
    assert not slots.fits(a_move(2))
