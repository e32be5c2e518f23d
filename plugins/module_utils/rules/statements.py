# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All statements of the catalogue, by document, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Mapping

from .statement import Statement
from .statements_cas import CAS
from .statements_hyperv import HYPERV
from .statements_kvm import KVM
from .statements_pcd import PCD
from .statements_vmware import VMWARE

DOCUMENTS: Mapping[str, str] = {
    "CSV": "Apache CloudStack: VMware migration improvements",
    "CSK": "Apache CloudStack: KVM live storage migration between NFS pools",
    "PCD": "Platform9 Private Cloud Director: virtual machine migration",
    "CSH": "Apache CloudStack: Hyper-V storage motion (CLOUDSTACK-6143)",
    "CAS": "H3C CAS: migrating a VM between hosts and storages",
}
STATEMENTS: tuple[Statement, ...] = (*VMWARE, *KVM, *PCD, *HYPERV, *CAS)


def document(number: str) -> str:
    """The title of the document that a number belongs to."""
    return DOCUMENTS[number.partition("-")[0]]
