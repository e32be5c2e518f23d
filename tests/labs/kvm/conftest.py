# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's fixtures for the tests of the lab itself."""

from __future__ import annotations

from tests.labs.kvm.fixtures import (
    authenticated_kvm_lab,
    kvm_lab,
    session_authenticated_kvm_lab,
    session_kvm_lab,
    session_unprivileged_kvm_lab,
    unprivileged_kvm_lab,
)

__all__ = [
    "authenticated_kvm_lab",
    "kvm_lab",
    "session_authenticated_kvm_lab",
    "session_kvm_lab",
    "session_unprivileged_kvm_lab",
    "unprivileged_kvm_lab",
]
