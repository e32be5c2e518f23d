# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator of vSphere may get wrong, or meets, through the modules: named, with nothing changed and no password told."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyVmomi", reason="pyvmomi is not installed")

from pyVmomi import vim

from tests.integration.modules import Answer, evacuate, evacuate_pools, find_targets, migrate, reason_codes, run_module
from tests.integration.playbooks import ROOT, ansible_playbook
from tests.integration.world_vsphere import VsphereWorld
from tests.integration.worlds import off_on, running_on
from tests.labs.vsphere.lab import ADDRESS, PASSWORD, USERNAME

pytestmark = pytest.mark.vsphere


def ask(world: VsphereWorld, environment: dict[str, str] | None = None, **vsphere: Any) -> Answer:
    """Read the site with other ways to the server; None leaves a field out."""
    site = world.site_options()
    given = {name: value for name, value in {**site["vsphere"], **vsphere}.items() if value is not None}
    return run_module("site_info", {"site": {**site, "vsphere": given}}, environment=environment)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"password": "Wr0ng-secret"}, "login_failed", "site.vsphere.password"),
        ({"password": None}, "invalid_input", "VMWARE_PASSWORD"),
        ({"hostname": None}, "invalid_input", "VMWARE_HOST"),
        ({"username": None}, "invalid_input", "VMWARE_USER"),
        ({"hostname": "https://vcenter.example/sdk"}, "invalid_input", "without scheme"),
        ({"port": 70000}, "invalid_input", "site.vsphere.port"),
        ({"ca_path": "/nowhere/ca.pem"}, "invalid_input", "site.vsphere.ca_path"),
        ({"ca_path": None}, "certificate_untrusted", "site.vsphere.ca_path"),
        ({"port": 1}, "host_unreachable", "port 1"),
    ],
)
def test_a_wrong_way_to_the_server(vsphere_world: VsphereWorld, changes: dict[str, Any], code: str, words: str) -> None:
    answer = ask(vsphere_world, **changes)
    assert (answer.failed, answer.code) == (True, code), str(answer)
    assert words in answer.message
    for secret in (PASSWORD, "Wr0ng-secret"):
        assert secret not in str(answer.result)


def test_the_environment_says_what_the_options_do_not(vsphere_world: VsphereWorld) -> None:
    port = str(vsphere_world.lab.port)
    environment = {"VMWARE_HOST": ADDRESS, "VMWARE_USER": USERNAME, "VMWARE_PASSWORD": PASSWORD, "VMWARE_PORT": port, "VMWARE_VALIDATE_CERTS": "no"}
    answer = ask(vsphere_world, environment, hostname=None, username=None, password=None, port=None, ca_path=None)
    assert not answer.failed, str(answer)
    assert PASSWORD not in str(answer.result)


def test_a_vm_that_is_not_there_or_twice(vsphere_world: VsphereWorld) -> None:
    first, second, _third = vsphere_world.hosts
    one = vsphere_world.lab.add_vm("web1", first)
    vsphere_world.lab.add_datastore("shared2", list(vsphere_world.hosts))
    other = vsphere_world.lab.add_vm("web1", first, pools=("shared2",))
    missing = migrate(vsphere_world, "nobody", target_host=second)
    assert (missing.failed, missing.code) == (True, "vm_unknown")
    twice = migrate(vsphere_world, "web1", target_host=second)
    assert (twice.failed, twice.code) == (True, "vm_ambiguous")
    assert one in twice.message
    assert other in twice.message
    done = migrate(vsphere_world, one, target_host=second)
    assert not done.failed, str(done)
    assert (vsphere_world.lab.vm(one).runtime.host.name, vsphere_world.lab.vm(other).runtime.host.name) == (second, first)


def test_a_host_that_cannot_take_a_vm_is_told_with_its_reason(vsphere_world: VsphereWorld) -> None:
    first, second, third = vsphere_world.hosts
    web = vsphere_world.add_vm("web1", first)
    vsphere_world.lab.control("hosts", name=second, vmotion=False)
    vsphere_world.lab.control("hosts", name=third, version="6.5.0")
    before = vsphere_world.written()
    answer = find_targets(vsphere_world, web)
    rejected = {entry["host"]: reason_codes(entry["reasons"]) for entry in answer["targets"] if not entry["suitable_for_migration"]}
    assert "vmotion_not_enabled" in rejected[second]
    assert "hw_version_unsupported" in rejected[third]
    assert vsphere_world.written() == before
    refused = evacuate(vsphere_world, first, state="maintenance")
    assert refused.failed
    assert vsphere_world.where(web) == running_on(first)
    assert vsphere_world.maintenance(first) == "available"


def test_a_vm_that_is_off_moves_too_and_stays_off(vsphere_world: VsphereWorld) -> None:
    first, second, _third = vsphere_world.hosts
    web = vsphere_world.add_vm("web1", first, power="off")
    answer = migrate(vsphere_world, web, target_host=second, mode="offline")
    assert not answer.failed, str(answer)
    assert vsphere_world.where(web) == off_on(second)
    assert vsphere_world.left_behind() == []


@pytest.mark.rule("CSV-10", sign="+")
def test_host_and_storage_move_together_and_a_second_run_changes_nothing(vsphere_world: VsphereWorld) -> None:
    first, second, _third = vsphere_world.hosts
    web = vsphere_world.add_vm("web1", first, local_disk=True)
    options = {"type": "host_storage", "target_host": second, "target_pool": "shared"}
    predicted = migrate(vsphere_world, web, check=True, **options)
    assert predicted.changed, str(predicted)
    assert vsphere_world.where(web) == running_on(first)
    answer = migrate(vsphere_world, web, **options)
    assert not answer.failed, str(answer)
    assert (vsphere_world.where(web), vsphere_world.pools(web)) == (running_on(second), {"scsi0:0": "shared"})
    before = vsphere_world.digest()
    again = migrate(vsphere_world, web, **options)
    assert not again.failed, str(again)
    assert not again.changed
    assert vsphere_world.digest() == before
    back = migrate(vsphere_world, web, type="storage", target_pool=f"local-{second}")
    assert not back.failed, str(back)
    assert vsphere_world.pools(web) == {"scsi0:0": f"local-{second}"}
    assert vsphere_world.left_behind() == []


@pytest.mark.rule("CSV-02", sign="+")
def test_a_datastore_is_emptied_under_running_vms_and_opened_again(vsphere_world: VsphereWorld) -> None:
    first, second, _third = vsphere_world.hosts
    vsphere_world.lab.add_datastore("shared2", list(vsphere_world.hosts))
    web, off, other = (
        vsphere_world.add_vm("web", first),
        vsphere_world.add_vm("off", second, power="off"),
        vsphere_world.add_vm("local", second, local_disk=True),
    )
    answer = evacuate_pools(vsphere_world, "shared", state="maintenance", storage_class="shared")
    assert not answer.failed, str(answer)
    assert [vsphere_world.pools(vm)["scsi0:0"] for vm in (web, off, other)] == ["shared2", "shared2", f"local-{second}"]
    assert [vsphere_world.where(vm) for vm in (web, off, other)] == [running_on(first), off_on(second), running_on(second)]
    assert vsphere_world.lab.vm(web.id).config.files.vmPathName.startswith("[shared2]")
    assert vsphere_world.pool_maintenance("shared") == "maintenance"
    assert vsphere_world.left_behind() == []
    assert not evacuate_pools(vsphere_world, "shared", state="maintenance", storage_class="shared").changed
    assert not evacuate_pools(vsphere_world, "shared", state="available").failed
    assert vsphere_world.pool_maintenance("shared") == "available"


@pytest.mark.parametrize("power", ["running", "off"])
def test_own_files_without_a_disk_beside_them_leave_the_datastore_too(vsphere_world: VsphereWorld, power: str) -> None:
    world = vsphere_world
    first, second, _third = world.hosts
    world.lab.add_datastore("shared2", list(world.hosts))
    web = world.add_vm("web", first, power=power)
    (disk,) = [one for one in world.lab.vm(web.id).config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk)]
    locator = vim.vm.RelocateSpec.DiskLocator(diskId=disk.key, datastore=world.lab.named(vim.Datastore, "shared2"))
    world.lab.wait(world.lab.vm(web.id).RelocateVM_Task(vim.vm.RelocateSpec(disk=[locator])))
    assert world.lab.vm(web.id).config.files.vmPathName.startswith("[shared]")
    answer = evacuate_pools(world, "shared", state="maintenance", target_pools=["shared2"])
    assert not answer.failed, str(answer)
    assert world.lab.vm(web.id).config.files.vmPathName.startswith("[shared2]")
    assert world.lab.named(vim.Datastore, "shared").vm == []
    assert world.pools(web) == {"scsi0:0": "shared2"}
    assert world.left_behind() == []
    moved = migrate(world, web, target_host=second, mode="live" if power == "running" else "offline")
    assert not moved.failed, str(moved)


def test_agents_of_vcenter_itself_neither_keep_a_host_from_maintenance_nor_are_moved(vsphere_world: VsphereWorld) -> None:
    first, second, _third = vsphere_world.hosts
    lab = vsphere_world.lab
    agent, web = vsphere_world.add_vm("vCLS-1", first), vsphere_world.add_vm("web1", first)
    managed = vim.ext.ManagedByInfo(extensionKey="com.vmware.vim.eam", type="cluster-agent")
    lab.wait(lab.vm(agent.id).ReconfigVM_Task(vim.vm.ConfigSpec(managedBy=managed)))
    refused = migrate(vsphere_world, agent, target_host=second)
    assert refused.failed
    assert "managed_by_other" in str(refused), str(refused)
    predicted = evacuate(vsphere_world, first, state="maintenance", check=True)
    answer = evacuate(vsphere_world, first, state="maintenance")
    assert not answer.failed, str(answer)
    assert set(answer.moved()) == {"web1"} == {entry["vm_name"] for entry in predicted["migrations"]}
    assert [(host["state"], host["vms_left"]) for host in answer["hosts"]] == [("maintenance", 0)]
    assert lab.host(first).runtime.inMaintenanceMode
    assert vsphere_world.where(web).defined_on != {first}
    assert vsphere_world.where(agent) == off_on(first)
    assert not evacuate(vsphere_world, first, state="maintenance").changed
    assert not evacuate(vsphere_world, first, state="available").failed
    assert vsphere_world.where(agent) == running_on(first)


def play(tmp_path: Path, playbook: str, variables: dict[str, Any], *words: str) -> str:
    """What a playbook of the collection says, as ansible-playbook runs it."""
    own = {**variables, "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    (tmp_path / "variables.json").write_text(json.dumps(own))
    command = [ansible_playbook(), "-i", "localhost,", "-c", "local", f"vmops.migration.{playbook}", "-e", f"@{tmp_path}/variables.json", *words]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "tests/ci/ansible.cfg"), "ANSIBLE_HOME": str(tmp_path / "home"), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return done.stdout


def test_the_playbook_of_the_collection_takes_a_datastore_out_of_use(vsphere_world: VsphereWorld, tmp_path: Path) -> None:
    first, _second, _third = vsphere_world.hosts
    vsphere_world.lab.add_datastore("shared2", list(vsphere_world.hosts))
    web, off = vsphere_world.add_vm("web", first), vsphere_world.add_vm("off", first, power="off")
    site = {"vmops_site": vsphere_world.site_options(), "storage_retirement_pools": ["shared"], "storage_retirement_target_pools": ["shared2"]}
    play(tmp_path, "storage_retirement", site, "-vvv")
    assert [vsphere_world.pools(vm) for vm in (web, off)] == [{"scsi0:0": "shared2"}] * 2
    assert vsphere_world.pool_maintenance("shared") == "maintenance"
    assert vsphere_world.volumes("shared") == frozenset()
    assert "changed=0" in play(tmp_path, "storage_retirement", site)
    play(tmp_path, "storage_retirement", {**site, "storage_retirement_state": "available"})
    assert vsphere_world.pool_maintenance("shared") == "available"
    assert vsphere_world.left_behind() == []


def test_the_playbook_of_the_collection_puts_a_host_into_maintenance_and_back(vsphere_world: VsphereWorld, tmp_path: Path) -> None:
    first, _second, _third = vsphere_world.hosts
    web = vsphere_world.add_vm("web", first)
    site = {"vmops_site": vsphere_world.site_options(), "host_maintenance_hosts": [first]}
    said = play(tmp_path, "host_maintenance", site, "-vvv")
    assert "empty, now maintenance" in said
    assert vsphere_world.lab.host(first).runtime.inMaintenanceMode
    assert vsphere_world.maintenance(first) == "maintenance"
    play(tmp_path, "host_maintenance", site, "-e", "host_maintenance_state=available", "-e", "host_maintenance_return_home=true")
    assert not vsphere_world.lab.host(first).runtime.inMaintenanceMode
    assert vsphere_world.where(web) == running_on(first)
    assert vsphere_world.left_behind() == []
