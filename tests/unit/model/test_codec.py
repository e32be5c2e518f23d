# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the model are read and written without loss, and what is wrong with one is named by its path."""

from __future__ import annotations

import json

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode, encode
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.event import Event
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Claim, VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.outcome import Outcome, RunReport
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Plan
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Progress
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.target import Target
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DOCUMENTS = (Site, Plan, Migration, Progress, Outcome, RunReport, Reason, Target, Event, VmNote, Claim, SiteOptions)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@pytest.mark.parametrize("kind", DOCUMENTS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_a_document_comes_back_as_it_was_written(kind: type, data: st.DataObject) -> None:
    value = data.draw(st.from_type(kind))
    text = json.dumps(encode(value), allow_nan=True)
    if "NaN" not in text:
        assert decode(kind, json.loads(text)) == value


@pytest.mark.parametrize(
    ("data", "path", "said"),
    [
        ({"hosts": {"kvm1": {"ur": "x"}}, "driver": "libvirt"}, "site.hosts.kvm1.ur", "unknown field"),
        ({"hosts": {"kvm1": {"migration_link_mbps": "fast"}}, "driver": "libvirt"}, "site.hosts.kvm1.migration_link_mbps", "whole number"),
        ({"hosts": {"kvm1": {"tags": "ssd"}}, "driver": "libvirt"}, "site.hosts.kvm1.tags", "expected a list"),
        ({"hosts": {"kvm1": {"tags": ["ssd", 7]}}, "driver": "libvirt"}, "site.hosts.kvm1.tags[1]", "expected a text"),
        ({"hosts": ["kvm1"], "driver": "libvirt"}, "site.hosts", "expected a mapping"),
        ({"vms": {"web": {"kind": "toaster"}}, "driver": "libvirt"}, "site.vms.web.kind", "'toaster' is not one of user"),
        ({"limits": {"migrations_per_host": True}, "driver": "libvirt"}, "site.limits.migrations_per_host", "whole number"),
        ({"links": {"rack1": {"bandwidth_mbps": 1}}, "driver": "libvirt"}, "site.links.rack1.hosts", "required field is missing"),
        ({}, "site.driver", "required field is missing"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(data: object, path: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        decode(SiteOptions, data, "site")
    assert caught.value.option == path
    assert said in str(caught.value)


def test_a_file_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(InputError, match="expected a mapping, got 'half a fi"):
        decode(Site, "half a file", "world.json")


def test_fields_that_hold_their_default_are_not_written() -> None:
    assert encode(Plan("abc")) == {"plan_id": "abc"}
