# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What libvirt says of connections that fail, in an operator's words. The messages are libvirt 9.0's own."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.failures import cannot_open, cannot_open_peer, find_trouble
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.uri import controller_uri, peer_uri

MESSAGES = [
    ("Cannot recv data: Host key verification failed.: Connection reset by peer", "the ssh host key of kvm2 is not known to kvm1"),
    ("Cannot recv data: root@kvm2: Permission denied (publickey).: Connection reset by peer", "an ssh key of kvm1 that kvm2 accepts"),
    (
        "operation failed: Failed to connect to remote libvirt URI qemu+tls://kvm2/system: Unable to read TLS confirmation: Input/output error",
        "client certificate of kvm1",
    ),
    ("Cannot read CA certificate '/etc/pki/CA/cacert.pem': No such file or directory", "the CA's certificate on kvm1"),
    ("authentication failed: Failed to verify peer's certificate", "a certificate of kvm2 that kvm1 trusts"),
    ("Certificate failed validation: The certificate hasn't got a known issuer.", "a certificate of kvm2 that kvm1 trusts"),
    ("unable to connect to server at 'kvm2:16514': Connection refused", "kvm2 refuses the connection"),
    ("unable to connect to server at 'kvm2:16514': No route to host", "no way leads there"),
    ("unable to resolve address 'kvm2' service '16514': Name or service not known", "kvm1 cannot resolve it"),
    ("Failed to connect socket to '/run/libvirt/libvirt-sock': No such file or directory", "libvirt's socket"),
    ("End of file while reading data: Input/output error", "kvm2 closed the connection"),
]


@pytest.mark.parametrize(("said", "missing"), MESSAGES)
def test_a_peer_that_cannot_be_opened_is_named_with_what_is_missing(said: str, missing: str) -> None:
    error = cannot_open_peer("kvm1", "kvm2", peer_uri("kvm2", ""), said)
    assert (error.code, error.source, error.target) == ("peer_unreachable", "kvm1", "kvm2")
    assert missing in error.message
    assert said in error.message
    assert error.hint


@pytest.mark.parametrize(("said", "missing"), MESSAGES)
def test_a_host_that_the_controller_cannot_open_is_named_with_what_is_missing(said: str, missing: str) -> None:
    error = cannot_open("kvm2", controller_uri("kvm2", "qemu+ssh://kvm2/system"), said)
    assert (error.code, error.host) == ("host_unreachable", "kvm2")
    assert missing.replace("kvm1", "the controller") in error.message


def test_an_unknown_message_is_handed_on() -> None:
    assert find_trouble("the moon is full") is None
    assert "the moon is full" in cannot_open("kvm2", controller_uri("kvm2", "qemu+ssh://kvm2/system"), "the moon is full").message
    assert "the moon is full" in cannot_open_peer("kvm1", "kvm2", peer_uri("kvm2", ""), "the moon is full").message


@pytest.mark.parametrize(
    "said",
    [
        "operation failed: job: unexpectedly failed",
        "internal error: unable to execute QEMU command 'cont'",
        "Unsafe migration: Migration without shared storage is unsafe",
    ],
)
def test_failures_of_the_move_itself_are_not_taken_for_missing_trust(said: str) -> None:
    assert find_trouble(said) is None
