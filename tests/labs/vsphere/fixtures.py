# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pytest fixtures of the vSphere lab: a fresh server for every test, gone after it.

Without what the lab needs, the tests are skipped with the reason, and fail where the lab is required (VMOPS_LAB_REQUIRED=1 or CI=true).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from .requirements import missing_requirements

if TYPE_CHECKING:  # the lab itself needs pyVmomi, which may be what is missing
    from tests.labs.kvm.certificates import CertificateAuthority

    from .lab import VsphereLab


def require_lab() -> None:
    """Skip, or fail where the lab is required, if this machine cannot have a lab."""
    missing = missing_requirements()
    if not missing:
        return
    reason = f"no vSphere lab here, missing: {'; '.join(missing)}"
    if os.environ.get("VMOPS_LAB_REQUIRED") == "1" or os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def vsphere_authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """The authority that signs the certificates of all servers of this process."""
    require_lab()
    from tests.labs.kvm.certificates import CertificateAuthority

    authority = CertificateAuthority(tmp_path_factory.mktemp("vsphere-ca") / "ca")
    authority.create()
    return authority


@pytest.fixture
def vsphere_lab(vsphere_authority: CertificateAuthority) -> Iterator[VsphereLab]:
    """One cluster of three hosts that share two datastores and have one of their own each; no VMs."""
    from .lab import VsphereLab

    with VsphereLab(vsphere_authority) as lab:
        yield lab
