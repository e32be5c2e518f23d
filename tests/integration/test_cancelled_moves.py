# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``state: cancelled``: the move of one VM is asked to end, whoever of our runs has begun it."""

from __future__ import annotations

import pytest

from tests.integration.modules import begin_migrate, migrate
from tests.integration.worlds import World, everyone_lives, running_on, wait_until

ON_VSPHERE = True

pytestmark = pytest.mark.any_core


def test_a_move_of_a_living_run_is_cancelled_and_not_tried_elsewhere(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, autostart=True)
    world.slow_links()
    run = begin_migrate(world, web, source_host=first, retries=2)
    wait_until(lambda: "web1" in world.in_flight(), "the move")
    answer = migrate(world, web, state="cancelled")
    assert not answer.failed, str(answer)
    assert answer.changed
    assert first in answer.message
    ended = run.answer()
    assert ended.failed
    assert ended.migration_of(web)["phase"] == "cancelled"
    assert "cancelled_on_request" in ended.reasons_of(web)
    assert world.where(web) == running_on(first)
    assert world.autostart(web)
    assert everyone_lives(world, web)
    assert world.left_behind() == []
    world.fast_links()
    assert migrate(world, web, target_host=second).changed


def test_a_move_of_a_run_that_was_killed_is_taken_over_and_cancelled(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.slow_links()
    run = begin_migrate(world, web, target_host=second)
    wait_until(lambda: "web1" in world.in_flight(), "the move")
    run.kill()
    answer = migrate(world, web, state="cancelled")
    assert not answer.failed, str(answer)
    assert answer.changed
    assert world.where(web) == running_on(first)
    assert everyone_lives(world, web)
    assert world.left_behind() == []


def test_a_copy_of_disks_is_cancelled_too_and_leaves_no_file(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True)
    world.slow_links()
    run = begin_migrate(world, web, type="host_storage", target_host=second)
    wait_until(lambda: "web1" in world.in_flight(), "the move")
    answer = migrate(world, web, state="cancelled")
    assert not answer.failed, str(answer)
    assert run.answer().failed
    assert world.where(web) == running_on(first)
    assert world.volumes(world.local(second)) == frozenset()
    assert everyone_lives(world, web)
    assert world.left_behind() == []


def test_without_a_move_nothing_changes_and_the_answer_says_where_the_vm_is(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    before = world.written()
    answer = migrate(world, web, state="cancelled")
    assert not answer.failed, str(answer)
    assert not answer.changed
    assert f"running on {first}" in answer.message
    assert world.written() == before
    assert second in world.hosts


def test_a_move_of_somebody_else_is_never_cancelled(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.slow_links()
    theirs = world.start_foreign_migration(web, second)
    answer = migrate(world, web, state="cancelled")
    assert answer.failed
    assert answer.code == "foreign_migration"
    world.fast_links()
    assert theirs.wait()
    assert world.where(web) == running_on(second)
    assert everyone_lives(world, web)


def test_check_mode_says_that_a_move_would_be_cancelled_and_lets_it_go_on(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.slow_links()
    run = begin_migrate(world, web, target_host=second)
    wait_until(lambda: "web1" in world.in_flight(), "the move")
    assert migrate(world, web, state="cancelled", check=True).changed
    world.fast_links()
    assert not run.answer().failed
    assert world.where(web) == running_on(second)
