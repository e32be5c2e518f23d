# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of live moves on KVM, as the operator sees them through the modules."""

from __future__ import annotations

import pytest

from tests.integration.modules import begin_migrate, migrate
from tests.integration.world_kvm import KvmWorld
from tests.integration.worlds import RESTLESS_MIB_S, everyone_lives, running_on, wait_until

pytestmark = pytest.mark.kvm


@pytest.mark.rule("CAS-08", sign="-")
def test_a_move_that_is_past_its_switch_is_not_cancelled_any_more(kvm_world: KvmWorld) -> None:
    """From the switch to post-copy on the guest runs at its target, and the rest of its memory follows."""
    world = kvm_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, dirty_mib_s=RESTLESS_MIB_S)
    world.slow_links()
    run = begin_migrate(world, web, target_host=second, post_copy=True)
    wait_until(lambda: world.where(web).states.get(second) == "running", "the switch")
    answer = migrate(world, web, state="cancelled")
    assert answer.failed, str(answer)
    assert answer.code == "past_return", str(answer)
    assert f"it has arrived on {second}" in answer.message
    ended = run.answer()
    assert not ended.failed, str(ended)
    assert world.where(web) == running_on(second)
    assert everyone_lives(world, web)
    assert world.left_behind() == []


@pytest.mark.rule("CAS-45", sign="-")
def test_encryption_between_hosts_has_no_meaning_for_a_copy_within_one(kvm_world: KvmWorld) -> None:
    world = kvm_world
    first = world.hosts[0]
    web = world.add_vm("web1", first)
    before = world.digest()
    answer = migrate(world, web, type="storage", target_pool=f"{first}/local", encrypt=True)
    assert answer.failed, str(answer)
    assert not answer.changed
    assert "encrypt" in answer.message, str(answer)
    assert "encrypt_type" in str(answer)
    assert world.digest() == before
    assert world.where(web) == running_on(first)
