# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims as libvirt secrets: the XML carries any text, and each claim has an id that nobody else can have."""

from __future__ import annotations

import dataclasses
import json
from xml.etree import ElementTree

from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.claims import read_claim, usage_of, uuid_of
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.secrets import KeptText, secret_xml
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import encode
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Claim, ClaimKind, Controller
from hypothesis import given
from hypothesis import strategies as st

# What XML can hold at all; libvirt refuses names with other characters itself.
XML_TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"), min_size=1, max_size=30)
CLAIM = Claim(ClaimKind.MEMORY, "kvm1", "vm", "operation", Controller("here", "boot", "pid:[1]", 7, 9, "ann"), 1.0, 2.0, 64)


@given(usage=XML_TEXT, user=st.text(max_size=30))
def test_any_text_survives_the_secret_s_xml(usage: str, user: str) -> None:
    claim = dataclasses.replace(CLAIM, controller=dataclasses.replace(CLAIM.controller, user=user))
    root = ElementTree.fromstring(secret_xml("u", usage, encode(claim)))
    assert root.findtext("./usage/name") == usage
    assert read_claim(KeptText("u", usage, json.loads(root.findtext("./description") or ""))) == claim
    assert (root.get("ephemeral"), root.get("private")) == ("no", "no")


def test_a_claim_keeps_its_id_when_it_is_renewed_and_shares_it_with_no_other() -> None:
    assert uuid_of(dataclasses.replace(CLAIM, renewed_at=99.0)) == uuid_of(CLAIM)
    others = [
        dataclasses.replace(CLAIM, kind=ClaimKind.VM),
        dataclasses.replace(CLAIM, host="kvm2"),
        dataclasses.replace(CLAIM, subject="other"),
        dataclasses.replace(CLAIM, operation_id="other"),
        dataclasses.replace(CLAIM, controller=dataclasses.replace(CLAIM.controller, pid=8)),
        dataclasses.replace(CLAIM, controller=dataclasses.replace(CLAIM.controller, boot_id="other")),
    ]
    assert len({uuid_of(claim) for claim in [CLAIM, *others]}) == len(others) + 1


def test_the_usage_id_names_what_is_claimed_and_not_by_whom() -> None:
    assert usage_of(CLAIM) == usage_of(dataclasses.replace(CLAIM, operation_id="other")) == "vmops/claim/memory/vm"


def test_what_is_no_claim_is_none() -> None:
    for data in (None, 1, "x", [], {}, {"kind": "vm"}, {**encode(CLAIM), "more": 1}):
        assert read_claim(KeptText("u", "vmops/claim/vm/x", data)) is None


def test_a_host_has_one_drain_whatever_names_the_controllers_have_for_it() -> None:
    one, two = (dataclasses.replace(CLAIM, kind=ClaimKind.DRAIN, host=name, subject=name) for name in ("kvm1", "kvm1.example.com"))
    assert usage_of(one) == usage_of(two)
