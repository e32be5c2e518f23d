# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims on hosts that answer are renewed while another host does not."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from ansible_collections.vmops.migration.plugins.module_utils.execution.claims import ClaimKeeper
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Claim, ClaimKind, Controller


class SilentHost:
    """A driver as far as claims go: one host never answers, of the others it counts how often a claim was renewed."""

    def __init__(self, silent: str) -> None:
        self._silent = silent
        self.let_go = threading.Event()
        self.renewed_twice = threading.Event()
        self._count = 0

    def claim(self, _claim: Claim, _admits: Any = None) -> None:
        return None

    def release(self, _claims: Sequence[Claim]) -> None:
        return None

    def drop_stale_claims(self) -> None:
        return None

    def renew(self, claims: Sequence[Claim]) -> None:
        if claims[0].host == self._silent:
            self.let_go.wait(60)
            return
        self._count += 1
        if self._count == 2:
            self.renewed_twice.set()


def test_a_silent_host_does_not_keep_the_claims_on_others_from_being_renewed() -> None:
    driver = SilentHost("kvm1")
    with ClaimKeeper(driver, "op", Controller(), renew_seconds=0.02) as keeper:  # type: ignore[arg-type]
        for host in ("kvm1", "kvm2"):
            keeper.take(ClaimKind.DRAIN, host, host)
        renewed = driver.renewed_twice.wait(20)
        driver.let_go.set()
    assert renewed
