# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cards that get other networks, and everything beside them that stays."""

from __future__ import annotations

from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.nics import with_networks

DOMAIN = """<domain type='kvm'>
  <name>web1</name>
  <metadata>
    <app:x xmlns:app='urn:app'><interface type='network'><source network='lan'/></interface></app:x>
  </metadata>
  <devices>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/>
      <source network='lan' portid='ab-cd' bridge='virbr1'/>
      <model type='virtio'/>
    </interface>
    <interface type='bridge'>
      <mac address='52:54:00:00:00:02'/>
      <source bridge='br0'/>
    </interface>
    <interface type='user'>
      <mac address='52:54:00:00:00:03'/>
    </interface>
  </devices>
</domain>
"""


def test_a_mapped_network_gets_its_new_name_and_the_port_is_left_to_the_destination() -> None:
    changed = with_networks(DOMAIN, {"lan": "lan & co", "br0": "br7"})
    assert '<source network="lan &amp; co" />' in changed
    assert '<source bridge="br7" />' in changed
    assert "<app:x xmlns:app='urn:app'><interface type='network'><source network='lan'/></interface></app:x>" in changed
    assert changed.count("<mac address") == 3
    assert "virbr1" not in changed


def test_what_nobody_mapped_stays_letter_by_letter() -> None:
    assert with_networks(DOMAIN, {}) == DOMAIN
    assert with_networks(DOMAIN, {"virbr1": "x", "other": "y"}) == DOMAIN
