# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module ``pool_evacuate`` and shows its progress."""

from __future__ import annotations

from ..plugin_utils.live import LiveAction


class ActionModule(LiveAction):
    """See ``plugin_utils/live.py``."""
