# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of a recovery: the note in a kept definition, state beside the disks, answers of hosts, and routes."""

from __future__ import annotations

import pytest

pytest.importorskip("libvirt")

from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.definitions import firmware_state, with_note
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.domain_xml import read_domain
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.life import is_on_link
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.note_text import read_note
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.peer_questions import answer_in
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import MigrationError
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Controller, NotePhase, VmNote

NOTE = VmNote("operation-1", Controller(host="a<b&c"), 1.0, NotePhase.SETTLED, "kvm1", "kvm2", migration_type="recover", stage="recovering")
DOMAIN = """<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>web</name><uuid>u-1</uuid>{metadata}
<os><type arch='x86_64'>hvm</type>{nvram}</os><devices>{tpm}</devices><qemu:commandline><qemu:arg value='-x'/></qemu:commandline></domain>"""
OTHERS = "<a:app xmlns:a='urn:other'>theirs</a:app>"
OLD = "<vmops:migration xmlns:vmops='urn:vmops:migration:1'>{}</vmops:migration>"
# 10.77.0.0/24 and 10.0.0.0/8 are on a link, all else goes by a gateway, 10.99.0.0/16 too
ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth1\t00004D0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth2\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
eth2\t0000630A\t010200C0\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def definition(metadata: str = "", nvram: str = "", tpm: str = "") -> str:
    return DOMAIN.format(metadata=metadata, nvram=nvram, tpm=tpm)


@pytest.mark.parametrize("metadata", ["", "<metadata/>", f"<metadata>{OTHERS}{OLD}</metadata>"], ids=["none", "empty", "with others and an old note"])
def test_a_definition_carries_the_note_of_its_recovery_and_keeps_the_rest(metadata: str) -> None:
    text = with_note(definition(metadata), NOTE)
    assert read_note(read_domain(text).note_text or "") == NOTE
    assert ("theirs" in text) == (OTHERS in metadata)
    assert text.count("urn:vmops:migration:1") == 1
    assert 'value="-x"' in text


@pytest.mark.parametrize("text", ["<network/>", "<domain", "", "<!DOCTYPE x [<!ENTITY y 'z'>]><domain>&y;</domain>"])
def test_a_text_that_is_no_definition_is_refused(text: str) -> None:
    with pytest.raises(MigrationError) as refused:
        with_note(text, NOTE)
    assert refused.value.code == "definition_invalid"


def test_state_beside_the_disks_is_seen() -> None:
    assert firmware_state(definition(nvram="<nvram>/var/lib/x.fd</nvram>")).nvram_path == "/var/lib/x.fd"
    assert firmware_state(definition(nvram="<nvram template='/usr/x.fd'/>")).nvram_path
    assert firmware_state(definition(tpm="<tpm><backend type='emulator'/></tpm>")).has_emulated_tpm
    plain = firmware_state(definition(tpm="<tpm><backend type='passthrough'/></tpm>"))
    assert not plain.nvram_path
    assert not plain.has_emulated_tpm


@pytest.mark.parametrize(
    ("message", "answers"),
    [
        ("offline migration cannot handle non-shared storage", True),
        ("unable to connect to server at 'kvm1:16514': Connection refused", True),
        ("Unable to read TLS confirmation: Input/output error", True),
        ("Certificate failed validation: The certificate hasn't got a known issuer.", True),
        ("unable to connect to server at 'kvm1:16514': No route to host", False),
        ("unable to connect to server at 'kvm1:16514': Connection timed out", False),
        ("Timed out during operation: cannot acquire state change lock (held by monitor=remoteDispatchDomainMigratePerform3Params)", False),
        ("Cannot read CA certificate '/etc/pki/CA/cacert.pem': No such file or directory", False),
        ("unable to resolve address 'kvm1' service '16514': Name or service not known", False),
    ],
)
def test_what_a_peer_says_of_a_host_is_an_answer_or_silence(message: str, answers: bool) -> None:
    assert bool(answer_in(message)) is answers


@pytest.mark.parametrize(
    ("address", "expected"), [("10.77.0.11", True), ("10.5.0.1", True), ("10.99.1.1", False), ("192.168.1.1", False), ("kvm1", False), ("fe80::1", False)]
)
def test_only_an_address_on_a_network_of_this_machine_is_asked(address: str, expected: bool) -> None:
    assert is_on_link(address, ROUTES) is expected
