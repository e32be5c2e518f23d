# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which lab owns which subnet number: one file per number in a folder of the machine, made exclusively."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .commands import LabError, run, wait_until
from .config import Addresses

SUBNET_COUNT = 256
LOCK_TIMEOUT_S = 120.0


class SubnetRegistry:
    """The subnet numbers in use below one folder of labs. A number belongs to a lab's name until it is given back."""

    def __init__(self, labs_folder: Path) -> None:
        self._folder = labs_folder / ".subnets"

    @contextmanager
    def lab_locked(self, lab_name: str) -> Iterator[None]:
        """Hold one lab alone, so that nobody brings it up or down at the same time."""
        with self._locked(f"{lab_name}.lock"):
            yield

    @contextmanager
    def _locked(self, file_name: str) -> Iterator[None]:
        """The kernel lets go of the lock when the process ends, however it ends."""
        self._folder.mkdir(parents=True, exist_ok=True)
        owner = self._folder.stat().st_uid
        if owner != os.geteuid():
            raise LabError(f"{self._folder} belongs to user {owner}: not used")
        path = self._folder / file_name
        with ExitStack() as held:
            wait_until(lambda: _try_lock(path, held), f"the lock {path}", timeout_s=LOCK_TIMEOUT_S)
            yield

    def forget_lock(self, lab_name: str) -> None:
        """Remove the lock's file, by the one who holds it: who waits for it notices and makes a new one."""
        (self._folder / f"{lab_name}.lock").unlink(missing_ok=True)

    def owners(self) -> dict[int, str]:
        """Subnet number -> name of the lab."""
        if not self._folder.is_dir():
            return {}
        return {int(entry.name): entry.read_text().strip() for entry in self._folder.iterdir() if entry.name.isdigit()}

    def find(self, lab_name: str) -> int | None:
        return next((index for index, owner in self.owners().items() if owner == lab_name), None)

    def acquire(self, lab_name: str) -> int:
        """The lab's number, a new one if it has none. A number is passed over when the machine has that address from elsewhere."""
        with self._locked("registry"):
            index = self.find(lab_name)
            if index is not None:
                return index
            taken = self.owners()
            foreign = _machine_addresses()
            for candidate in range(SUBNET_COUNT):
                if candidate not in taken and Addresses(candidate).controller_address not in foreign:
                    (self._folder / str(candidate)).write_text(lab_name)
                    return candidate
        raise LabError(f"all {SUBNET_COUNT} lab subnets are taken: see {self._folder}")

    def release(self, lab_name: str) -> None:
        with self._locked("registry"):
            index = self.find(lab_name)
            if index is not None:
                (self._folder / str(index)).unlink()


def _try_lock(path: Path, held: ExitStack) -> bool:
    """Lock the file without waiting and leave it open in `held`; False if somebody has it, or removed it meanwhile."""
    with ExitStack() as opened:
        lock = opened.enter_context(path.open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not path.exists() or path.stat().st_ino != os.fstat(lock.fileno()).st_ino:
            return False
        held.enter_context(opened.pop_all())
        return True


def _machine_addresses() -> set[str]:
    links = json.loads(run(["ip", "-json", "address", "show"]))
    return {address["local"] for link in links for address in link.get("addr_info", []) if "local" in address}
