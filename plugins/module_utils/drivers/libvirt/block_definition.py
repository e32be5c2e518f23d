# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The definition of a moved disk that names its new file. Pure: text in, text out."""

from __future__ import annotations

from ...model.note import NotedVolume
from .domain_xml import parse, to_text


def moved_disk(xml: str, volume: NotedVolume) -> str | None:
    """That disk of a domain's definition with its source and format replaced; what it rests on is left to its file. None where there is no such disk."""
    for disk in parse(xml).iterfind("./devices/disk"):
        target, source, driver, below = (disk.find(f"./{name}") for name in ("target", "source", "driver", "backingStore"))
        if target is None or source is None or target.get("dev") != volume.device:
            continue
        source.attrib.pop("dev", None)
        source.set("file", volume.target_path)
        disk.set("type", "file")
        if driver is not None:
            driver.set("type", volume.format)
        if below is not None:
            disk.remove(below)
        return to_text(disk)
    return None
