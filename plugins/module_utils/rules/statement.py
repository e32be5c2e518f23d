# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a statement is: one number of the catalogue, what this collection does about it, and who fulfils it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of one of the source documents, in our words.

    Rules that carry ``number`` in the rulebook fulfil it without being named here. ``places`` are others that do: a file of ``module_utils`` such as
    ``planning/networks.py``, or ``module:``, ``role:``, ``driver:`` with a name. ``waits_for`` says who has still to fulfil it, or the rest of it;
    ``not_code`` is the reason why no code can.

    Whether it is fulfilled is not written down: it is when tests with both signs are marked with its number.
    """

    number: str
    text: str
    places: tuple[str, ...] = ()
    waits_for: str = ""
    not_code: str = ""
