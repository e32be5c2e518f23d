# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vCenter's tags of hosts, datastores and VMs, over its REST API: the SOAP API knows nothing of them.

A reading takes two calls for all objects together, one for each tag that was not read before, and one for the session.
"""

from __future__ import annotations

import base64
import json
import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ...model.errors import HostUnreachable, MigrationError, StateConflict
from .connection import VCenter

_CIS = "/rest/com/vmware/cis"
_KINDS = ("HostSystem", "Datastore", "VirtualMachine")

Tags = Mapping[str, frozenset[str]]
"""Names of tags by the managed object id of what has them."""


class TagReader:
    """Reads tags in a session of its own, which is given back with ``close``."""

    def __init__(self, center: VCenter) -> None:
        self._center = center
        self._session = ""
        self._names: dict[str, str] = {}
        self._lock = threading.Lock()

    def read(self) -> Tags:
        """The tags of everything. Raises MigrationError where the server has no such API, or the user may not ask it."""
        with self._lock:
            ids = self._ask("GET", "/tagging/tag")
            attached = self._ask("POST", "/tagging/tag-association?~action=list-attached-objects-on-tags", {"tag_ids": ids}) if ids else []
            found: defaultdict[str, set[str]] = defaultdict(set)
            for entry in attached:
                for place in entry.get("object_ids") or ():
                    if place["type"] in _KINDS:
                        found[place["id"]].add(self._name(entry["tag_id"]))
            return {moid: frozenset(names) for moid, names in found.items()}

    def close(self) -> None:
        """End the session. Never raises."""
        with self._lock:
            if self._session:
                with suppress(MigrationError):  # it ends by itself where it cannot be ended now
                    self._exchange("DELETE", "/session", None, {"vmware-api-session-id": self._session})
                self._session = ""

    def _name(self, tag: str) -> str:
        if tag not in self._names:
            self._names[tag] = str(self._ask("GET", f"/tagging/tag/id:{tag}")["name"])
        return self._names[tag]

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's value; a session that has ended is renewed once."""
        for is_last in (False, True):
            if not self._session:
                self._session = self._log_in()
            status, answer = self._exchange(method, path, body, {"vmware-api-session-id": self._session})
            if status == 401 and not is_last:
                self._session = ""
                continue
            return _value(path, status, answer)
        raise AssertionError("unreachable")

    def _log_in(self) -> str:
        user, password = self._center.credentials
        known = base64.b64encode(f"{user}:{password}".encode()).decode()
        status, answer = self._exchange("POST", "/session", None, {"Authorization": f"Basic {known}"})
        return str(_value("/session", status, answer))

    def _exchange(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> tuple[int, bytes]:
        sent = json.dumps(body).encode() if body is not None else None
        told = {**headers, "Content-Type": "application/json", "Accept": "application/json"}
        with self._center.exchange(method, f"{_CIS}{path}", told, sent) as answer:
            return answer.status, answer.read()


def _value(path: str, status: int, answer: bytes) -> Any:
    if status != 200:
        text = f"vCenter's REST API answers {path.partition('?')[0]} with HTTP {status}."
        raise StateConflict(text, code="permission_missing" if status in (401, 403) else "capability_missing", hint="Switch site.vsphere.read_tags off.")
    try:
        return json.loads(answer)["value"]
    except (ValueError, KeyError, TypeError):
        raise HostUnreachable("vCenter", f"vCenter's REST API answers {path.partition('?')[0]} with something else than JSON.") from None
