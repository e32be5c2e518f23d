# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module says of check mode, diff mode, idempotence, async and platform."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes; each module fills in the support of those that differ."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what it would do without changing anything.
  diff_mode:
    description: Returns the placement before and after when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second run changes nothing.
  async:
    description: Supports being used with the C(async) keyword. There is no live progress then.
    support: full
  action_group:
    description: Use C(group/vmops.migration.all) in C(module_defaults) to set O(site) for all modules at once.
    support: full
    membership:
      - vmops.migration.all
  platform:
    description: Runs on the controller (C(connection=local) or C(delegate_to=localhost)), or on any host that reaches the hypervisors.
    support: full
    platforms: posix
requirements:
  - Python >= 3.11
"""
