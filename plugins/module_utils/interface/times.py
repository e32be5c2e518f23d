# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Points in time as operators write them (RFC 3339) and as the rest of the collection counts them (epoch seconds)."""

from __future__ import annotations

import datetime as dt

from ..model.errors import InputError

_EXAMPLE = "2026-10-05T23:30:00+02:00"


def epoch_seconds(text: str, option: str) -> float:
    """Epoch seconds of an RFC 3339 time. Raises InputError that names the option where it is none, or lacks its offset from UTC."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InputError(option, f"{text!r} is not a point in time.", hint=f"Write it as in RFC 3339, such as {_EXAMPLE}.") from None
    if moment.tzinfo is None:
        raise InputError(option, f"{text!r} does not say its offset from UTC.", hint=f"Write it as in RFC 3339, such as {_EXAMPLE}.")
    return moment.timestamp()


def deadline_of(text: str | None, option: str, now: float) -> float | None:
    """The deadline in epoch seconds, None for none. Raises InputError for a time that cannot be read or has passed (``now`` in epoch seconds)."""
    if text is None or not text.strip():
        return None
    moment = epoch_seconds(text.strip(), option)
    if moment <= now:
        raise InputError(
            option,
            f"{text!r} has passed; it is {shown(now)} now, so no move could start.",
            code="deadline_passed",
            hint="Give a later time, or leave the option out.",
        )
    return moment


def shown(epoch: float) -> str:
    """Epoch seconds as RFC 3339 text in UTC, to the second."""
    return dt.datetime.fromtimestamp(epoch, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(seconds: float) -> str:
    """A length of time for people: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {left} s"
    return f"{whole} s"
