# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a lab looks like: its name, folder, number of hosts, kind of trust, and the names and addresses that follow."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

# On a disk (guests open their images with O_DIRECT) and short: a path of a unix socket holds 107 characters.
LABS_FOLDER = Path("/var/tmp/vmops-lab")
HOST_NAMES = tuple(f"kvm{number}" for number in range(1, 10))
UUID_NAMESPACE = uuid.UUID("2f6f7c1e-5d0b-4c56-9d52-0c4a1a3c7b11")

SHARED_POOL = "shared"
LOCAL_POOL = "local"
POOL_PATHS = {SHARED_POOL: Path("/srv/shared"), LOCAL_POOL: Path("/srv/local")}
GUEST_NETWORK = "guests"
ONLY_FIRST_HOST_NETWORK = "only1"
NETWORK_BRIDGES = {GUEST_NETWORK: "br-guests", ONLY_FIRST_HOST_NETWORK: "br-only1"}


@dataclass(frozen=True)
class LabConfig:
    """One lab. Two labs with different names share nothing and run side by side.

    authenticated: TLS clients must show a certificate of the lab's CA with the lab's organisation, plain TCP is off, and every host runs an sshd.
    Otherwise TCP is open and TLS asks for no client certificate. unprivileged: QEMU runs as a user of its own, libvirt gives it each guest's files and takes
    them back, and nobody but root may read the pools' folders, as on hosts of a distribution.
    """

    name: str = "default"
    host_count: int = 3
    authenticated: bool = False
    unprivileged: bool = False
    labs_folder: Path = LABS_FOLDER

    def __post_init__(self) -> None:
        if not self.name.replace("-", "").isalnum() or len(self.name) > 24:
            raise ValueError(f"lab name {self.name!r}: letters, digits and '-', at most 24")
        if not 1 <= self.host_count <= len(HOST_NAMES):
            raise ValueError(f"host_count {self.host_count}: 1 to {len(HOST_NAMES)}")

    @property
    def folder(self) -> Path:
        return self.labs_folder / self.name

    @property
    def host_names(self) -> tuple[str, ...]:
        return HOST_NAMES[: self.host_count]

    def host_folder(self, host: str) -> Path:
        return self.folder / host

    def uuid_of(self, *words: str) -> str:
        """A UUID that is the same every time this lab comes up."""
        return str(uuid.uuid5(UUID_NAMESPACE, "/".join((self.name, *words))))


@dataclass(frozen=True)
class Addresses:
    """The names and addresses of a lab whose subnet number is `index` (0 to 255): management 10.77.index.0/24, migration 10.78.index.0/24."""

    index: int

    @property
    def prefix(self) -> str:
        return f"vmlab{self.index}"

    @property
    def controller_interface(self) -> str:
        return self.prefix

    @property
    def controller_address(self) -> str:
        return f"10.77.{self.index}.1"

    @property
    def switch_namespace(self) -> str:
        return f"{self.prefix}-switch"

    def host_namespace(self, host: str) -> str:
        return f"{self.prefix}-{host}"

    def management(self, host: str) -> str:
        return f"10.77.{self.index}.{11 + HOST_NAMES.index(host)}"

    def migration(self, host: str) -> str:
        return f"10.78.{self.index}.{11 + HOST_NAMES.index(host)}"
