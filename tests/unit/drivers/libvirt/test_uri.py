# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URIs of hosts: what is let through, what is refused before anything is opened, and that nothing secret is shown."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.uri import controller_uri, peer_uri
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError


@pytest.mark.parametrize(
    ("given", "opened"),
    [
        ("qemu+ssh://root@kvm1/system", "qemu+ssh://root@kvm1/system?no_tty=1"),
        ("qemu+ssh://root@kvm1:2222/system?keyfile=/k", "qemu+ssh://root@kvm1:2222/system?keyfile=/k&no_tty=1"),
        ("qemu+ssh://kvm1/system?no_tty=0", "qemu+ssh://kvm1/system?no_tty=1"),
        ("qemu+ssh://kvm1/system?no_verify=0", "qemu+ssh://kvm1/system?no_tty=1"),
        ("qemu+tcp://10.0.0.1/system", "qemu+tcp://10.0.0.1/system"),
        ("qemu+tls://[fe80::1]/system?pkipath=/pki", "qemu+tls://[fe80::1]/system?pkipath=/pki"),
        ("qemu://kvm1/system", "qemu://kvm1/system"),
        ("qemu+unix:///system?socket=/run/x", "qemu+unix:///system?socket=/run/x"),
        ("qemu:///system", "qemu:///system"),
    ],
)
def test_good_uris_are_opened_as_they_are_and_ssh_never_asks(given: str, opened: str) -> None:
    assert controller_uri("kvm1", given).text == opened


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "is missing"),
        ("kvm1", "not a URI of libvirt's QEMU driver"),
        ("xen+ssh://kvm1/system", "not a URI of libvirt's QEMU driver"),
        ("qemu+libssh2://kvm1/system", "goes by 'libssh2'"),
        ("qemu+ext://kvm1/system?command=/bin/x", "goes by 'ext'"),
        ("qemu+ssh://root@/system", "names no host"),
        ("qemu+unix://kvm1/system", "names a host"),
        ("qemu+ssh://kvm1/session", "does not end in /system"),
        ("qemu+ssh://kvm1", "does not end in /system"),
        ("qemu+ssh://kvm1:port/system", "is not a URI"),
        ("qemu+ssh://[kvm1/system", "is not a URI"),
        ("qemu+ssh://kvm 1/system", "blank"),
        ("qemu+ssh://kvm1/system\n", "blank"),
        ("qemu+ssh://-oProxyCommand=x/system", "does not begin with '-'"),
        ("qemu+ssh://-l@kvm1/system", "does not begin with '-'"),
        ("qemu+ssh://kvm1/system?no_verify=1", "no_verify=1"),
        ("qemu+tls://kvm1/system?pkipath=/p;no_verify=1", "no_verify=1"),
        ("qemu+tls://kvm1/system?no%5fverify=1", "no_verify=1"),
    ],
)
def test_wrong_uris_are_refused_with_the_option_s_name(given: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as refusal:
        controller_uri("kvm1", given)
    assert refusal.value.option == "site.hosts.kvm1.uri"
    assert refusal.value.hint


@pytest.mark.parametrize(
    "given", ["qemu+ssh://root:s3cret@kvm1/session", "qemu+tls://a:s3cret@kvm1:x/system", "qemu+tls://a:s3cret@[kvm1/system", "qemu+tls://a:x@s3cret@kvm1/"]
)
def test_a_password_is_in_no_refusal(given: str) -> None:
    with pytest.raises(InputError) as refusal:
        controller_uri("kvm1", given)
    assert "s3cret" not in str(refusal.value)


def test_a_password_is_neither_shown_nor_left_in_libvirt_s_words() -> None:
    uri = controller_uri("kvm1", "qemu+tcp://ann:s3cret@kvm1/system")
    assert uri.shown == "qemu+tcp://ann:***@kvm1/system"
    assert "s3cret" not in uri.without_secrets("cannot open qemu+tcp://ann:s3cret@kvm1/system: refused")


def test_peers_reach_a_host_by_tls_to_its_name_unless_told() -> None:
    assert peer_uri("kvm1", "").text == "qemu+tls://kvm1/system"
    assert peer_uri("kvm1", "qemu+tcp://10.0.0.1/system").text == "qemu+tcp://10.0.0.1/system"
    assert peer_uri("kvm1", "qemu+ssh://root@kvm1/system").text == "qemu+ssh://root@kvm1/system?no_tty=1"


@pytest.mark.parametrize("given", ["qemu:///system", "qemu+unix:///system?socket=/run/x", "qemu+tls://kvm2/system?no_verify=1"])
def test_peers_have_no_socket_and_verify_too(given: str) -> None:
    with pytest.raises(InputError) as refusal:
        peer_uri("kvm2", given)
    assert refusal.value.option == "site.hosts.kvm2.peer_uri"
