# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: how many seconds are left until a deadline, for comparing a maintenance window with a plan's duration."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.interface.times import epoch_seconds
from ..module_utils.model.errors import InputError


def seconds_until(deadline: Any) -> float:
    """Seconds from now to an RFC 3339 time, negative where it has passed. Raises AnsibleFilterError for what is no such time."""
    try:
        return epoch_seconds(str(deadline).strip(), "deadline") - time.time()
    except InputError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"seconds_until": seconds_until}
