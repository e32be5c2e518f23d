# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say what kind of move is asked for, and which volume goes where."""

from __future__ import annotations


class ModuleDocFragment:
    """``intent``: type and mode of a move, and where volumes go."""

    DOCUMENTATION = r"""
options:
  type:
    description:
      - What changes. V(host) leaves every volume where it is; V(storage) leaves the VM on its host; V(host_storage) changes both.
      - Without it, it follows from what is given, a host (to go to, or to leave) or a pool, or both.
    type: str
    choices: [host, storage, host_storage]
  mode:
    description:
      - With V(live) the guest goes on running. V(suspended) pauses it for the move, V(cold) stops it, moves it and starts it again; both need
        O(allow_downtime) for a VM that runs. V(offline) is for a VM that is off, and leaves it off.
    type: str
    choices: [live, cold, suspended, offline]
    default: live
  target_pool:
    description:
      - Id of the pool for the ROOT volume. The other volumes that have to move follow into pools of the same cluster, each by its own class and tags.
      - The id of a pool that only one host has is C(host/pool).
    type: str
  single_pool:
    description: Whether all volumes shall go into O(target_pool). The move is refused where one of them does not suit it.
    type: bool
    default: false
  volume_pools:
    description: Pool ids by volume, for single volumes; a volume is named by its id or by the VM's name for it, such as C(vda).
    type: dict
  storage_class:
    description: A new class for what is moved. Without it, a volume in a local pool goes to a local pool, one in a shared pool to a shared one.
    type: str
    choices: [local, shared]
  volume_format:
    description: Format of what is moved. V(same) keeps it.
    type: str
    choices: [same, qcow2, raw]
    default: same
  flatten:
    description: Whether a copy takes in what its volume rests on (a template, for example), instead of resting on the same at the destination.
    type: bool
    default: false
  network_map:
    description:
      - Networks of the destination by networks of the VM, where they have other names there. The cards are attached to them with the move.
      - A network that is not named keeps its name. What is named has to be on the destination, also where that has the old one, too.
    type: dict
  allow_downtime:
    description: The consent to stop or pause a VM that runs, where O(mode) or the timeout's action needs that.
    type: bool
    default: false
  earlier_results:
    description:
      - Files that O(ignore:result_file) of earlier runs has written. The expected durations are fitted to the moves that they tell of.
      - Without them, durations rest on defaults; a plan says so where they matter.
    type: list
    elements: path
    default: []
"""
