# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds what the lab has in source form: the guest (as, ld) and the shim that makes a folder look like NFS (gcc)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .commands import LabError, run

SOURCE_FOLDER = Path(__file__).parent
GUEST_SOURCE = SOURCE_FOLDER / "guest/guest.S"
SHIM_SOURCE = SOURCE_FOLDER / "shim/fakenfs.c"
BOOT_ADDRESS = "0x7c00"  # where a PC's firmware loads the boot sector


@dataclass(frozen=True)
class Artifacts:
    """The built files of one lab, in its own folder: labs built at once do not meet."""

    folder: Path

    @property
    def guest(self) -> Path:
        return self.folder / "guest.bin"

    @property
    def shim(self) -> Path:
        return self.folder / "fakenfs.so"

    def build(self) -> None:
        """Build what is missing or older than its source."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if _is_stale(self.guest, GUEST_SOURCE):
            self._build_guest()
        if _is_stale(self.shim, SHIM_SOURCE):
            run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", self.shim, SHIM_SOURCE, "-ldl"])

    def _build_guest(self) -> None:
        compiled = self.folder / "guest.o"
        run(["as", "--32", "-o", compiled, GUEST_SOURCE])
        run(["ld", "-m", "elf_i386", "-Ttext", BOOT_ADDRESS, "-e", "start", "--oformat", "binary", "-o", self.guest, compiled])
        if self.guest.read_bytes()[510:512] != b"\x55\xaa":
            raise LabError(f"{self.guest} has no boot signature")


def _is_stale(built: Path, source: Path) -> bool:
    return not built.exists() or built.stat().st_mtime < source.stat().st_mtime
