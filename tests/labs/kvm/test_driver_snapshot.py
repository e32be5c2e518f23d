# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of real hosts: every fact that rules read, of guests in every state, in few calls, and without a trace."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, LIGHT, Scope
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt import domain_stats
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.connection import Connection, HostSession
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode, encode
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.host import HostNetwork, HostState
from ansible_collections.vmops.migration.plugins.module_utils.model.options import PoolOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import PoolScope, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import OperationKind, PowerState

from tests.labs.kvm.driver_world import NASTY_NAME, driver_of, frozen_qemu, site_options
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm


def snapshot(lab: Lab, scope: Scope = EVERYTHING, **changes: object) -> Site:
    with driver_of(lab, **changes) as driver:
        return driver.snapshot(scope)


def test_a_host_tells_what_rules_read(kvm_lab: Lab) -> None:
    kvm_lab.hosts["kvm1"].limit_memory(2048)
    kvm_lab.guest("web1", "kvm1")
    site = snapshot(kvm_lab)
    host = site.host_by_name["kvm1"]
    assert (host.state, host.hypervisor, host.architecture, host.memory_mib) == (HostState.UP, "kvm", "x86_64", 2048)
    assert host.hypervisor_version
    assert host.hypervisor_version.count(".") == 2
    assert host.cpu_count
    assert host.cpu_features
    assert "sse2" in host.cpu_features
    assert host.machine_types
    assert {"pc", "q35"} <= host.machine_types
    assert host.networks
    assert {HostNetwork("guests", "network"), HostNetwork("br-guests", "bridge"), HostNetwork("only1", "network")} <= set(host.networks)
    assert HostNetwork("only1", "network") not in set(site.host_by_name["kvm2"].networks or ())
    assert host.pools == {"kvm1/local", "shared"}


def test_one_pool_on_all_hosts_is_one_and_each_host_s_own_is_its_own(kvm_lab: Lab) -> None:
    pools = {pool.id: pool for pool in snapshot(kvm_lab).pools}
    assert sorted(pools) == ["kvm1/local", "kvm2/local", "kvm3/local", "shared"]
    assert pools["shared"].scope is PoolScope.CLUSTER
    assert pools["shared"].identity
    assert pools["shared"].path == "/srv/shared"
    assert pools["shared"].free_bytes
    assert pools["kvm2/local"].is_local


def test_a_snapshot_of_two_hosts_knows_the_shared_pool_as_one_of_all_does(kvm_lab: Lab) -> None:
    kvm_lab.guest("web1", "kvm1")
    with kvm_lab.hosts["kvm2"].connection() as connection:
        connection.storagePoolLookupByName("shared").destroy()
        connection.storagePoolLookupByName("shared").undefine()
    with driver_of(kvm_lab) as driver:
        whole = driver.snapshot(EVERYTHING)
        part = driver.snapshot(Scope(only_hosts=frozenset({"kvm1", "kvm2"})))
    assert [host.name for host in part.hosts] == ["kvm1", "kvm2"]
    assert part.vms[0].volumes[0].pool == whole.vms[0].volumes[0].pool == "shared"
    assert "shared" not in part.host_by_name["kvm2"].pools


def test_the_operator_may_declare_a_folder_shared(kvm_lab: Lab) -> None:
    site = snapshot(kvm_lab, pools={"local": PoolOptions(scope=PoolScope.ZONE, identity="san-1")})
    assert [(pool.id, pool.scope, pool.identity) for pool in site.pools] == [
        ("local", PoolScope.ZONE, "san-1"),
        ("shared", PoolScope.CLUSTER, site.pool_by_id["shared"].identity),
    ]


def test_a_guest_is_told_in_every_power_state(kvm_lab: Lab) -> None:
    kvm_lab.guest("running", "kvm1")
    paused = kvm_lab.guest("paused", "kvm1")
    saved = kvm_lab.guest("saved", "kvm1")
    kvm_lab.guest("off", "kvm1", start=False)
    with kvm_lab.hosts["kvm1"].connection() as connection:
        connection.lookupByUUIDString(paused.uuid).suspend()
        connection.lookupByUUIDString(saved.uuid).managedSave()
    for scope in (EVERYTHING, LIGHT):
        site = snapshot(kvm_lab, scope)
        assert {vm.name: vm.power_state.value for vm in site.vms} == {"running": "running", "paused": "paused", "saved": "saved", "off": "off"}
    assert [vm.name for vm in site.vms if vm.managed_save] == ["saved"]


def test_a_guest_is_told_in_full(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest(NASTY_NAME, "kvm2", nic="guests", memory_mib=96, autostart=True)
    site = snapshot(kvm_lab)
    (vm,) = site.vms
    assert (vm.id, vm.name, vm.host, vm.memory_mib, vm.vcpus, vm.autostart, vm.persistent) == (guest.uuid, NASTY_NAME, "kvm2", 96, 1, True, True)
    assert (vm.detailed, vm.architecture, vm.also_on, vm.operation, vm.note) == (True, "x86_64", (), None, None)
    assert vm.machine_type
    assert vm.machine_type.startswith("pc-i440fx")
    assert vm.required_cpu_features
    assert vm.required_cpu_features <= (site.host_by_name["kvm1"].cpu_features or frozenset())
    (nic,) = vm.nics
    assert (nic.network, nic.kind, nic.model) == ("guests", "network", "e1000")
    (volume,) = vm.volumes
    assert (volume.kind, volume.device, volume.pool, volume.format, volume.cache_mode) == (VolumeKind.ROOT, "hda", "shared", "raw", "none")
    assert volume.capacity_bytes == guest.spec.disk_mib * 1024 * 1024
    assert volume.path == f"/srv/shared/{guest.spec.image_name}"


def test_the_snapshot_has_a_file_form(kvm_lab: Lab) -> None:
    kvm_lab.guest(NASTY_NAME, "kvm1", nic="guests")
    site = snapshot(kvm_lab)
    assert decode(Site, encode(site)) == site


def test_snapshots_and_block_jobs_are_seen(kvm_lab: Lab) -> None:
    with_snapshot, with_job = kvm_lab.guest("snapshot", "kvm1"), kvm_lab.guest("job", "kvm1")
    with kvm_lab.hosts["kvm1"].connection() as connection:
        disk = "<disk name='hda' snapshot='external'><source file='/srv/shared/overlay'/></disk>"
        xml = f"<domainsnapshot><name>s1</name><disks>{disk}</disks></domainsnapshot>"
        connection.lookupByUUIDString(with_snapshot.uuid).snapshotCreateXML(xml, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
        copy = "<disk type='file'><driver type='raw'/><source file='/srv/shared/copy.raw'/></disk>"
        connection.lookupByUUIDString(with_job.uuid).blockCopy("hda", copy, {}, libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
    vms = {vm.name: vm for vm in snapshot(kvm_lab).vms}
    assert vms["snapshot"].snapshots == 1
    assert vms["snapshot"].volumes[0].backing == (f"/srv/shared/{with_snapshot.spec.image_name}",)
    assert vms["job"].operation is OperationKind.BLOCK_JOB


def test_a_vm_that_two_hosts_have_is_told_once_with_both(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm2")
    with kvm_lab.hosts["kvm2"].connection() as source, kvm_lab.hosts["kvm1"].connection() as other:
        other.defineXML(source.lookupByUUIDString(guest.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    (vm,) = snapshot(kvm_lab).vms
    assert (vm.host, vm.power_state, vm.also_on) == ("kvm2", PowerState.RUNNING, ("kvm1",))


def test_a_host_that_is_off_is_told_and_makes_uniqueness_unproven(kvm_lab: Lab) -> None:
    shared, local = kvm_lab.guest("shared", "kvm1"), kvm_lab.guest("local", "kvm1", pool="local")
    kvm_lab.hosts["kvm3"].power_off()
    site = snapshot(kvm_lab, connect_timeout_seconds=2.0)
    assert site.host_by_name["kvm3"].state is HostState.UNREACHABLE
    assert [reason.code for reason in site.warnings] == ["host_unreachable"]
    assert site.vm_by_id[shared.uuid].uniqueness_unproven_on == ("kvm3",)
    assert site.vm_by_id[local.uuid].uniqueness_unproven_on == ()


def test_an_unknown_host_in_the_scope_is_refused(kvm_lab: Lab) -> None:
    with pytest.raises(InputError, match="kvm9"):
        snapshot(kvm_lab, Scope(only_hosts=frozenset({"kvm9"})))


def test_a_guest_whose_qemu_hangs_hides_nothing_of_the_others_and_is_told_as_busy(kvm_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain_stats, "BULK_SECONDS", 2.0)
    hangs, well = kvm_lab.guest("hangs", "kvm1", memory_mib=96), kvm_lab.guest("well", "kvm1")
    with driver_of(kvm_lab) as driver, frozen_qemu(kvm_lab, hangs, "kvm1"):
        for _turn in range(2):
            vms = driver.snapshot(EVERYTHING).vm_by_id
            assert (vms[hangs.uuid].power_state, vms[hangs.uuid].memory_mib, len(vms[hangs.uuid].volumes)) == (PowerState.RUNNING, 96, 1)
            assert (vms[well.uuid].power_state, vms[well.uuid].memory_mib, vms[well.uuid].operation) == (PowerState.RUNNING, 64, None)
        assert vms[hangs.uuid].operation is OperationKind.OTHER
        assert driver.in_flight() == ()


def test_reading_leaves_no_trace(kvm_lab: Lab) -> None:
    kvm_lab.guest("web1", "kvm1", nic="guests")
    kvm_lab.guest("off1", "kvm2", start=False)
    before = kvm_lab.snapshot_state()
    with driver_of(kvm_lab) as driver:
        driver.snapshot(EVERYTHING)
        driver.snapshot(LIGHT)
        driver.in_flight()
        driver.claims("kvm1")
        driver.stop_requested("kvm1")
    assert kvm_lab.snapshot_state() == before


class Counting:
    """Counts the calls to a host, by name, on their way through a libvirt object and those that it gives."""

    def __init__(self, target: Any, calls: Counter[str]) -> None:
        self._target = target
        self._calls = calls

    LOCAL = frozenset({"name", "UUIDString", "isAlive", "close", "usageType", "usageID", "setKeepAlive"})

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found) or name in self.LOCAL:
            return found

        def call(*arguments: Any) -> Any:
            self._calls[name] += 1
            return self._wrapped(found(*[self._bare(argument) for argument in arguments]))

        return call

    def _wrapped(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._wrapped(item) for item in value]
        if isinstance(value, tuple):
            return tuple(self._wrapped(item) for item in value)
        return Counting(value, self._calls) if type(value).__module__ == "libvirt" else value

    def _bare(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._bare(item) for item in value]
        return value._target if isinstance(value, Counting) else value


def count_calls(lab: Lab, scope: Scope, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The calls of a second snapshot: what is asked once per connection has been asked then."""
    calls: Counter[str] = Counter()
    opened = HostSession._open
    monkeypatch.setattr(HostSession, "_open", lambda session: Connection(Counting(opened(session).raw, calls)))
    with driver_of(lab) as driver:
        driver.snapshot(scope)
        calls.clear()
        driver.snapshot(scope)
    monkeypatch.undo()
    return calls


def test_calls_do_not_grow_with_guests_out_of_scope_and_little_with_those_in_it(kvm_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    kvm_lab.guest("first", "kvm1")
    light_one, full_one = count_calls(kvm_lab, LIGHT, monkeypatch), count_calls(kvm_lab, EVERYTHING, monkeypatch)
    for number in range(5):
        kvm_lab.guest(f"more{number}", "kvm1", start=False)
    light_many, full_many = count_calls(kvm_lab, LIGHT, monkeypatch), count_calls(kvm_lab, EVERYTHING, monkeypatch)
    assert light_many == light_one
    assert full_many - full_one == Counter({"XMLDesc": 5})


def test_overlay_is_laid_over(kvm_lab: Lab) -> None:
    options = site_options(kvm_lab)
    hosts = {**options.hosts, "kvm1": dataclasses.replace(options.hosts["kvm1"], tags=frozenset({"ssd"}), memory_mib=512, os_name="debian")}
    host = snapshot(kvm_lab, hosts=hosts).host_by_name["kvm1"]
    assert (host.tags, host.memory_mib, host.os_name, host.cluster, host.migration_address) == (
        {"ssd"},
        512,
        "debian",
        "c1",
        kvm_lab.hosts["kvm1"].migration_address,
    )
