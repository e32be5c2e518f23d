# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pytest fixtures of the KVM lab: one lab per test process, cleaned before and after every test.

Import them into a conftest.py. Without what the lab needs, the tests are skipped with the reason, and fail where the lab is required
(VMOPS_LAB_REQUIRED=1 or CI=true). VMOPS_LAB_KEEP=1 leaves the lab up after the last test, to look at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .config import LABS_FOLDER, LabConfig
from .requirements import missing_requirements
from .subnets import SubnetRegistry

if TYPE_CHECKING:  # the lab itself needs libvirt-python, which may be what is missing
    from .lab import Lab

PROCESS_LAB = re.compile(r"[a-z0-9]+-p(\d+)(-auth|-user)?")


def require_lab() -> None:
    """Skip, or fail where the lab is required, if this machine cannot have a lab."""
    missing = missing_requirements()
    if not missing:
        return
    reason = f"no KVM lab here, missing: {'; '.join(missing)}"
    if os.environ.get("VMOPS_LAB_REQUIRED") == "1" or os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def lab_name(suffix: str = "") -> str:
    """The name of this test process's own lab: unlike that of any other worker or any other run on this machine."""
    return f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}-p{os.getpid()}{suffix}"


def remove_dead_labs() -> None:
    """Take down the labs of test processes that were killed before they could."""
    from .lab import Lab

    for name in SubnetRegistry(LABS_FOLDER).owners().values():
        match = PROCESS_LAB.fullmatch(name)
        if match and not Path(f"/proc/{match[1]}").exists():
            Lab.existing(LabConfig(name=name)).down()


def _session_lab(config: LabConfig) -> Iterator[Lab]:
    require_lab()
    from .lab import Lab

    remove_dead_labs()
    lab = Lab(config)
    try:
        lab.up()
        yield lab
    finally:
        if os.environ.get("VMOPS_LAB_KEEP") != "1":
            lab.down()


@pytest.fixture(scope="session")
def session_kvm_lab() -> Iterator[Lab]:
    """The plain lab of this process, as the tests before left it: take kvm_lab instead."""
    yield from _session_lab(LabConfig(name=lab_name()))


@pytest.fixture(scope="session")
def session_authenticated_kvm_lab() -> Iterator[Lab]:
    yield from _session_lab(LabConfig(name=lab_name("-auth"), authenticated=True))


@pytest.fixture(scope="session")
def session_unprivileged_kvm_lab() -> Iterator[Lab]:
    yield from _session_lab(LabConfig(name=lab_name("-user"), unprivileged=True))


@pytest.fixture
def kvm_lab(session_kvm_lab: Lab) -> Iterator[Lab]:
    """Three hosts with power, cables and daemons, without guests, secrets, limits or foreign resources. TCP, TLS and unix sockets."""
    session_kvm_lab.reset()
    yield session_kvm_lab
    session_kvm_lab.reset()


@pytest.fixture
def authenticated_kvm_lab(session_authenticated_kvm_lab: Lab) -> Iterator[Lab]:
    """The same with TLS client certificates required, without TCP, with ssh."""
    session_authenticated_kvm_lab.reset()
    yield session_authenticated_kvm_lab
    session_authenticated_kvm_lab.reset()


@pytest.fixture
def unprivileged_kvm_lab(session_unprivileged_kvm_lab: Lab) -> Iterator[Lab]:
    """The same with QEMU as a user of its own, to which libvirt gives each guest's files."""
    session_unprivileged_kvm_lab.reset()
    yield session_unprivileged_kvm_lab
    session_unprivileged_kvm_lab.reset()
