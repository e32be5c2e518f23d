# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live progress under ansible-playbook: what a terminal shows, when, and that nothing is left behind."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.modules.playbooks import ROOT, Ran, run_playbook

pytestmark = [pytest.mark.simulator, pytest.mark.slow]


@pytest.fixture
def site(tmp_path: Path) -> dict[str, Any]:
    """The example site, in a folder of its own, with time that runs fast enough, and slowly enough to be watched."""
    shutil.copy(ROOT / "examples/site.yml", tmp_path / "site.yml")
    return {"driver": "simulator", "simulator": {"world": str(tmp_path / "site.yml"), "speed": 6}}


def move(site: dict[str, Any], vm: str = "web-blog-1", target: str = "kvm-a3", **keywords: Any) -> dict[str, Any]:
    return {"name": f"Move {vm}", "vmops.migration.vm_migrate": {"site": site, "vm": vm, "target_host": target}, **keywords}


def place(ran: Ran, text: str) -> int:
    """The first line with that text."""
    found = [number for number, line in enumerate(ran.lines) if text in line]
    assert found, f"no line with {text!r}: {ran}"
    return found[0]


@pytest.mark.parametrize("pipelining", ["true", "false"])
def test_a_move_is_shown_while_it_goes_on_and_nothing_is_left(tmp_path: Path, site: dict[str, Any], pipelining: str) -> None:
    ran = run_playbook(tmp_path, [move(site)], environment={"ANSIBLE_PIPELINING": pipelining})
    assert ran.status == 0, ran
    order = [place(ran, text) for text in ("TASK [Move web-blog-1]", "kvm-a2 -> kvm-a3  started", " %", "kvm-a2 -> kvm-a3  done", "changed: [localhost]")]
    assert order == sorted(order), ran
    assert ran.left_over == []


def test_the_plan_is_shown_as_a_table_before_anything_moves(tmp_path: Path, site: dict[str, Any]) -> None:
    drain = {"name": "Drain", "vmops.migration.host_evacuate": {"site": site, "hosts": ["kvm-a1"], "state": "maintenance"}}
    ran = run_playbook(tmp_path, [drain], "--check", "--diff")
    assert ran.status == 0, ran
    assert place(ran, "TASK [Drain]") < place(ran, "12 moves") < place(ran, "START") < place(ran, "db-orders-1") < place(ran, "changed: [localhost]")
    assert place(ran, "-host kvm-a1: available") < place(ran, "+host kvm-a1: maintenance")
    assert not any("started" in line for line in ran.lines)
    assert [path.name for path in tmp_path.glob("site.yml*")] == ["site.yml"]


def test_every_turn_of_a_loop_is_shown(tmp_path: Path, site: dict[str, Any]) -> None:
    task = move(site, vm="{{ item }}", loop=["web-blog-1", "api-orders-2"])
    ran = run_playbook(tmp_path, [task])
    assert ran.status == 0, ran
    assert place(ran, "web-blog-1  kvm-a2 -> kvm-a3  done") < place(ran, "(item=web-blog-1)") < place(ran, "api-orders-2  kvm-a2 -> kvm-a3  done")
    assert ran.left_over == []


def test_a_task_that_may_not_be_logged_shows_nothing(tmp_path: Path, site: dict[str, Any]) -> None:
    ran = run_playbook(tmp_path, [move(site, no_log=True)])
    assert ran.status == 0, ran
    assert not any("kvm-a3" in line for line in ran.lines), ran
    assert ran.left_over == []


def test_a_task_in_the_background_shows_nothing_and_ends_well(tmp_path: Path, site: dict[str, Any]) -> None:
    ran = run_playbook(tmp_path, [move(site, **{"async": 120, "poll": 1})])
    assert ran.status == 0, ran
    assert not any("-> kvm-a3" in line for line in ran.lines), ran
    assert place(ran, "changed: [localhost]")
    until = time.monotonic() + 60
    while ran.left_over and time.monotonic() < until:
        time.sleep(0.2)  # the background's own keeper looks every few seconds, and cleans up then
    assert ran.left_over == []


def test_a_failure_tells_what_and_why_without_a_traceback(tmp_path: Path, site: dict[str, Any]) -> None:
    drain = {"vmops.migration.host_evacuate": {"site": site, "hosts": ["kvm-b3"], "allow_partial": False}}
    ran = run_playbook(tmp_path, [drain], "-vvv")
    assert ran.status == 2, ran
    text = " ".join(" ".join(ran.lines).split())
    for told in ("queue-legacy-1", "pinned", "mail-main-1", "has_snapshots", "nothing was moved"):
        assert told in text
    assert "Traceback" not in text + ran.errors
    assert ran.left_over == []


def test_one_setting_tells_all_modules_their_site(tmp_path: Path, site: dict[str, Any]) -> None:
    """The action group of meta/runtime.yml."""
    tasks = [
        {"vmops.migration.site_info": {}, "register": "info"},
        {"vmops.migration.find_migration_targets": {"vm": "web-blog-1"}, "register": "found"},
        {"ansible.builtin.assert": {"that": ["info.counts.hosts == 12", "found.suitable_count > 0"]}},
    ]
    block = {"block": tasks, "module_defaults": {"group/vmops.migration.all": {"site": site}}}
    ran = run_playbook(tmp_path, [block])
    assert ran.status == 0, ran
