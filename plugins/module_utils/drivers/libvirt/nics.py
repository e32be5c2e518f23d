# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A definition whose network cards are attached to other networks, as the operator's map says. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .domain_xml import parse, to_text

_DEVICES = re.compile(r"^  <devices>$.*?^  </devices>$", re.DOTALL | re.MULTILINE)
_INTERFACE = re.compile(r"<interface [^>]*>.*?</interface>", re.DOTALL)
_NAMES = ("network", "bridge", "dev")


def with_networks(xml: str, network_map: Mapping[str, str]) -> str:
    """The definition with each mapped network under its new name; the cards themselves, and all else, stay as they are, letter by letter."""
    if not network_map:
        return xml
    return _DEVICES.sub(lambda devices: _INTERFACE.sub(lambda card: _attached(card.group(0), network_map), devices.group(0)), xml, count=1)


def _attached(xml: str, network_map: Mapping[str, str]) -> str:
    """An active VM's card of a libvirt network tells the bridge and the port that it uses too: these are the destination's to find."""
    card = parse(xml)
    source = card.find("./source")
    name = next((name for name in _NAMES if source is not None and source.get(name)), None)
    if name is None or source.get(name) not in network_map:
        return xml
    source.set(name, network_map[source.get(name)])
    if name == "network":
        for told in ("bridge", "portid"):
            source.attrib.pop(told, None)
    return to_text(card).strip()
