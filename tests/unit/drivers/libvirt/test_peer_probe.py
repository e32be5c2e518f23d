# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A source whose way to the destination is dropped in silence: its own try lasts longer than anybody waits, and that is an answer too."""

from __future__ import annotations

import threading
from typing import Any

import pytest

pytest.importorskip("libvirt")

from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt import precheck
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.connection import HostSession
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.migrate import Ends
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.options import HostOptions


class SilentDomain:
    """Its move never gets an answer from the other side."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def lookupByUUIDString(self, _uuid: str) -> SilentDomain:  # noqa: N802 (libvirt's name)
        return self

    def migrateToURI3(self, *_arguments: Any) -> None:  # noqa: N802 (libvirt's name)
        self.over.wait(60)

    def close(self) -> None:
        """As libvirt's connection has it."""

    @property
    def raw(self) -> SilentDomain:
        return self


def test_a_peer_that_never_answers_is_a_peer_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = (HostSession(name, HostOptions(uri=f"qemu+tls://{name}/system"), 1.0) for name in ("kvm1", "kvm2"))
    domain = SilentDomain()
    monkeypatch.setattr(source, "open", lambda: domain)
    monkeypatch.setattr(precheck, "PROBE_SECONDS", 0.05)
    try:
        (reason,) = precheck._probe_peer(Ends(source, target), Migration("m1", "u-1", "web1", "kvm1", "kvm2"))
    finally:
        domain.over.set()
    assert reason.code == "peer_unreachable"
    assert reason.blocks
    assert "kvm1" in reason.message
    assert "kvm2" in reason.message
