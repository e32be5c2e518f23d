# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state file: read by anybody at any moment, changed under a lock, replaced whole and never written in place."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...model.codec import decode, encode
from ...model.errors import InputError, OperationInProgress
from .state import FORM, PRISTINE, State

OPTION = "site.simulator.state_file"
LOCK_WAIT_SECONDS = 30.0
LOCK_STEP_SECONDS = 0.002


class StateFile:
    """One state file. Reading needs no lock, because a new state takes the file's place in one step (rename); may be used by several threads.

    A process that is killed while it writes leaves the old state whole, and its lock is gone with it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_name(path.name + ".lock")
        self._draft_path = path.with_name(path.name + ".new")
        self._cached: tuple[bytes | None, State] = (None, PRISTINE)
        self._cache_lock = threading.Lock()

    def read(self) -> State:
        """The state as it is now; that of a pristine world where there is no file. Raises InputError."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return PRISTINE
        except OSError as error:
            raise InputError(OPTION, f"{self.path} cannot be read: {error.strerror}.", code="state_unreadable") from None
        with self._cache_lock:
            known, state = self._cached
            if content != known:
                state = self._parsed(content)
                self._cached = (content, state)
            return state

    def write(self, state: State) -> None:
        """Put a new state in the file's place. Only while ``locked``."""
        content = json.dumps(encode(state), separators=(",", ":")).encode()
        try:
            with self._draft_path.open("wb") as draft:
                draft.write(content)
                draft.flush()
                os.fsync(draft.fileno())
            self._draft_path.replace(self.path)
            self._sync_folder()
        except OSError as error:
            raise self._unwritable(error) from None
        with self._cache_lock:
            self._cached = (content, state)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all others, threads and processes, from changing the state. Raises OperationInProgress when it is not free for a long time."""
        try:
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self._wait_for(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int) -> None:
        until = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise OperationInProgress(
                        f"Another process has held {self._lock_path} for {LOCK_WAIT_SECONDS:.0f} s.", hint="Find it with lsof and see whether it hangs."
                    ) from None
                time.sleep(LOCK_STEP_SECONDS)
            else:
                return

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _unwritable(self, error: OSError) -> InputError:
        hint = "Set site.simulator.state_file to a path in a folder that this user may write to."
        return InputError(OPTION, f"{self.path} cannot be written: {error.strerror}.", code="state_unwritable", hint=hint)

    def _parsed(self, content: bytes) -> State:
        hint = "Remove it to begin again with the world as its file describes it."
        try:
            data = json.loads(content)
        except ValueError as error:
            raise InputError(OPTION, f"{self.path} is no JSON: {error}.", code="state_invalid", hint=hint) from None
        try:
            state = decode(State, data)
        except InputError as error:
            raise InputError(OPTION, f"{self.path}: {error.message}", code="state_invalid", hint=hint) from None
        if state.form != FORM:
            raise InputError(OPTION, f"{self.path} has the form {state.form}; this version writes {FORM}.", code="state_invalid", hint=hint)
        return state
