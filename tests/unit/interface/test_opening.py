# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option site: what is refused before anything is asked of a hypervisor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.interface.opening import site_options, unique
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError

URIS = {"kvm1": {"uri": "qemu+ssh://root@kvm1/system"}, "kvm2": {"uri": "qemu+ssh://root@kvm2/system"}}


def refused(**site: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        site_options({"driver": "libvirt", "hosts": URIS, **site})
    return caught.value


def test_a_good_site_is_read() -> None:
    options = site_options({"driver": "libvirt", "profile": "generic", "hosts": URIS, "pools": None, "overlay_file": None})
    assert list(options.hosts) == ["kvm1", "kvm2"]


@pytest.mark.parametrize("driver", ["xen", "", "../libvirt", "Libvirt"])
def test_an_unknown_driver_is_named_with_those_that_exist(driver: str) -> None:
    error = refused(driver=driver)
    assert (error.code, error.option) == ("driver_unknown", "site.driver")
    assert "libvirt" in error.hint
    assert "simulator" in error.hint


def test_an_unknown_profile_is_named_with_those_that_exist() -> None:
    error = refused(profile="generous")
    assert (error.code, error.option) == ("profile_unknown", "site.profile")
    assert "generic" in error.hint


@pytest.mark.parametrize("hosts", [None, {}])
def test_an_empty_inventory_is_an_error_and_no_empty_success(hosts: Any) -> None:
    assert str(refused(hosts=hosts)).startswith("site.hosts: empty inventory.")


@pytest.mark.parametrize("second", ["qemu+ssh://root@kvm1/system", "qemu+ssh://root@KVM1/system", "QEMU+SSH://root@kvm1/system/"])
def test_a_host_under_two_names_is_refused_and_both_are_named(second: str) -> None:
    error = refused(hosts={"kvm1": {"uri": "qemu+ssh://root@kvm1/system"}, "alias": {"uri": second}})
    assert error.code == "host_duplicate"
    assert "kvm1" in error.message
    assert "alias" in error.message


def test_hosts_that_differ_only_in_their_query_are_two() -> None:
    hosts = {name: {"uri": f"qemu+unix:///system?socket=/run/{name}/libvirt-sock"} for name in ("a", "b")}
    assert len(site_options({"driver": "libvirt", "hosts": hosts}).hosts) == 2


def test_two_hosts_may_not_be_reached_by_their_peers_as_one() -> None:
    peers = {name: {**host, "peer_uri": "qemu+tls://KVM1/system"} for name, host in URIS.items()}
    error = refused(hosts=peers)
    assert (error.code, error.option) == ("host_duplicate", "site.hosts.kvm2.peer_uri")
    assert "another host than the planned one" in error.message


@pytest.mark.parametrize("address", ["not an address; rm", "tcp://10.0.0.1", "10.0.0.1:49152", "", "-x", "fe80::zz"])
def test_a_migration_address_that_is_none_is_refused_before_a_move_meets_it(address: str) -> None:
    error = refused(hosts={**URIS, "kvm1": {**URIS["kvm1"], "migration_address": address}})
    assert error.option == "site.hosts.kvm1.migration_address"


@pytest.mark.parametrize("address", ["10.78.0.11", "kvm1-mig.example", "fd00::11"])
def test_addresses_and_names_are_migration_addresses(address: str) -> None:
    site_options({"driver": "libvirt", "hosts": {**URIS, "kvm1": {**URIS["kvm1"], "migration_address": address}}})


@pytest.mark.parametrize("uri", ["qemu+tcp://root:s3kr1t@kvm1/system", "qemu+tcp://kvm1/system?password=s3kr1t"])
@pytest.mark.parametrize("field", ["uri", "peer_uri"])
def test_a_password_is_refused_wherever_it_stands(field: str, uri: str) -> None:
    error = refused(hosts={**URIS, "kvm1": {**URIS["kvm1"], field: uri}})
    assert error.option == f"site.hosts.kvm1.{field}"
    assert "s3kr1t" not in str(error)


def test_a_password_in_a_uri_is_refused_and_not_repeated() -> None:
    error = refused(hosts={"kvm1": {"uri": "qemu+ssh://root:hunter2@kvm1/system"}})
    assert error.option == "site.hosts.kvm1.uri"
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("site", "option"),
    [
        ({"hosts": {"kvm1": {"uri": "u", "memory_mib": 0}}}, "site.hosts.kvm1.memory_mib"),
        ({"hosts": {"kvm1": {"uri": "u", "reserved_memory_mib": -1}}}, "site.hosts.kvm1.reserved_memory_mib"),
        ({"hosts": {"kvm1": {"uri": "u", "migration_link_mbps": -10}}}, "site.hosts.kvm1.migration_link_mbps"),
        ({"links": {"rack": {"hosts": ["kvm1"], "bandwidth_mbps": 0}}}, "site.links.rack.bandwidth_mbps"),
        ({"limits": {"migrations_per_host": 0}}, "site.limits.migrations_per_host"),
        ({"limits": {"hosts": {"kvm1": -2}}}, "site.limits.hosts.kvm1"),
        ({"connect_timeout_seconds": 0.0}, "site.connect_timeout_seconds"),
        ({"connect_timeout_seconds": float("nan")}, "site.connect_timeout_seconds"),
    ],
)
def test_numbers_that_no_machine_has_are_refused_with_option_and_value(site: dict[str, Any], option: str) -> None:
    error = refused(**site)
    assert error.option == option
    assert "makes no sense" in error.message


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf")])
def test_a_simulated_clock_that_stands_or_runs_backwards_is_refused(speed: float) -> None:
    with pytest.raises(InputError, match=r"site\.simulator\.speed"):
        site_options({"driver": "simulator", "simulator": {"world": "w.json", "speed": speed}})


def test_the_simulator_needs_a_world() -> None:
    with pytest.raises(InputError, match=r"site\.simulator\.world"):
        site_options({"driver": "simulator"})


# ------------------------------------------------------------ the overlay file


def overlay(folder: Path, text: str, name: str = "overlay.yml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_the_overlay_file_fills_in_what_the_options_do_not_say(tmp_path: Path) -> None:
    name = overlay(
        tmp_path, json.dumps({"hosts": {"kvm1": {"cluster": "c1", "memory_mib": 1024}, "kvm9": {"uri": "u9"}}, "limits": {"migrations_per_host": 2}})
    )
    hosts = {"kvm1": {"uri": "u1", "memory_mib": 2048}}
    options = site_options({"driver": "libvirt", "hosts": hosts, "overlay_file": name})
    assert options.hosts["kvm1"].cluster == "c1"
    assert options.hosts["kvm1"].memory_mib == 2048
    assert options.hosts["kvm1"].uri == "u1"
    assert options.hosts["kvm9"].uri == "u9"
    assert options.limits.migrations_per_host == 2


def test_a_json_overlay_is_read_like_a_yaml_one(tmp_path: Path) -> None:
    name = overlay(tmp_path, '{"pools": {"nfs": {"scope": "zone"}}}', "overlay.json")
    assert site_options({"driver": "libvirt", "hosts": URIS, "overlay_file": name}).pools["nfs"].scope == "zone"


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("hosts:\n  kvm1: {memory_mib: [}\n", "overlay.yml", "is no YAML"),
        ('{"hosts": {"kvm1": ', "overlay.json", "is no JSON"),
        ("- kvm1\n", "overlay.yml", "holds no mapping"),
        ("hsots: {}\n", "overlay.yml", "hsots: unknown field"),
        ("hosts: {kvm1: {memori_mib: 5}}\n", "overlay.yml", "hosts.kvm1.memori_mib: unknown field"),
        ("hosts:\n  kvm1: {}\n  kvm2: {}\n  kvm1: {}\n", "overlay.yml", "the key 'kvm1' twice (line 4)"),
        ('{"hosts": {"kvm1": {}, "kvm1": {}}}', "overlay.json", "the key 'kvm1' twice"),
    ],
)
def test_a_wrong_overlay_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, name: str, told: str) -> None:
    error = refused(overlay_file=overlay(tmp_path, text, name))
    assert told in error.message
    assert str(tmp_path) in error.message


def test_an_overlay_file_that_does_not_exist_is_named() -> None:
    assert "cannot be read: No such file" in refused(overlay_file="/nowhere/overlay.yml").message


# ------------------------------------------------------------ names


def test_a_name_given_twice_is_refused_with_its_place() -> None:
    with pytest.raises(InputError) as caught:
        unique(["kvm1", "kvm2", "kvm1"], "hosts")
    assert (caught.value.option, caught.value.code) == ("hosts[2]", "host_duplicate")


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"hosts\[1\]: the name is empty"):
        unique(["kvm1", " "], "hosts")
