# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checksum of a volume's content, the same however its zeros are kept: as data or as holes, in whatever pieces they come. Pure."""

from __future__ import annotations

import hashlib

BLOCK_BYTES = 64 * 1024
_ZEROS = bytes(BLOCK_BYTES)


class Checksum:
    """SHA-256 over the blocks of 64 KiB that are not all zeros, each after its position, and the length in the end.

    A file system may keep zeros that were a hole as data, or the other way round, and a hole of a terabyte must not cost the time to read one.
    """

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._position = 0
        self._block = bytearray()

    def data(self, piece: bytes) -> None:
        """The next bytes."""
        start = 0
        while start < len(piece):
            end = min(len(piece), start + BLOCK_BYTES - len(self._block))
            if not self._block and end - start == BLOCK_BYTES:
                self._add(piece[start:end])
            else:
                self._block += piece[start:end]
                self._add_if_full()
            start = end

    def hole(self, length: int) -> None:
        """The next ``length`` bytes are zeros."""
        if self._block:
            fill = min(length, BLOCK_BYTES - len(self._block))
            self._block += _ZEROS[:fill]
            self._add_if_full()
            length -= fill
        self._position += length - length % BLOCK_BYTES
        self._block += _ZEROS[: length % BLOCK_BYTES]

    def hexdigest(self) -> str:
        """The checksum of all that came; to be asked once, at the end."""
        if self._block:
            self._add(bytes(self._block))
            self._block.clear()
        self._sha.update(b"end" + self._position.to_bytes(8, "big"))
        return self._sha.hexdigest()

    def _add_if_full(self) -> None:
        if len(self._block) == BLOCK_BYTES:
            self._add(bytes(self._block))
            self._block.clear()

    def _add(self, block: bytes) -> None:
        if block != _ZEROS[: len(block)]:
            self._sha.update(self._position.to_bytes(8, "big"))
            self._sha.update(block)
        self._position += len(block)
