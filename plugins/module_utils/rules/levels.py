# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The usual cells of the rulebook, shared by its tables."""

from __future__ import annotations

from .rule import Level, Setting

HARD = Setting(Level.HARD)
WARN = Setting(Level.SOFT)
OFF = Setting(Level.OFF)


def asks(consent: str) -> Setting:
    """Refused until that option is given."""
    return Setting(Level.SOFT, consent)
