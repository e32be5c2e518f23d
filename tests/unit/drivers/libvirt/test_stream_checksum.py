# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checksum of a volume is that of its content: however it is cut into pieces, and whether zeros are data or holes."""

from __future__ import annotations

import random

from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.stream_checksum import BLOCK_BYTES, Checksum
from hypothesis import given
from hypothesis import strategies as st

Extent = tuple[bool, int]
EXTENTS = st.lists(st.tuples(st.booleans(), st.integers(1, 3 * BLOCK_BYTES)), max_size=6)


def content_of(extents: list[Extent]) -> bytes:
    """Zeros where False, else bytes that are none."""
    return b"".join(b"\x07" * length if full else bytes(length) for full, length in extents)


def whole(content: bytes) -> str:
    """The checksum of content that comes in one piece."""
    checksum = Checksum()
    checksum.data(content)
    return checksum.hexdigest()


@given(EXTENTS, st.integers(0, 2**32))
def test_pieces_and_holes_do_not_matter(extents: list[Extent], seed: int) -> None:
    chance = random.Random(seed)
    checksum = Checksum()
    for full, length in extents:
        while length:
            piece = chance.randint(1, length)
            if full:
                checksum.data(b"\x07" * piece)
            elif chance.random() < 0.5:
                checksum.data(bytes(piece))
            else:
                checksum.hole(piece)
            length -= piece
    assert checksum.hexdigest() == whole(content_of(extents))


@given(EXTENTS, EXTENTS)
def test_other_content_has_another_checksum(one: list[Extent], other: list[Extent]) -> None:
    assert (whole(content_of(one)) == whole(content_of(other))) is (content_of(one) == content_of(other))


def test_a_file_that_is_longer_by_a_hole_differs() -> None:
    short, long = Checksum(), Checksum()
    short.hole(BLOCK_BYTES)
    long.hole(BLOCK_BYTES + 1)
    assert short.hexdigest() != long.hexdigest()


def test_a_hole_of_a_tebibyte_costs_nothing() -> None:
    checksum = Checksum()
    checksum.hole(1 << 40)
    checksum.data(b"end")
    assert len(checksum.hexdigest()) == 64
