# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A VM that is off is asked for what it needs as a running one is: libvirt defines it anywhere, and only its next start would tell."""

from __future__ import annotations

import pytest

from tests.integration.modules import migrate
from tests.integration.world_kvm import KvmWorld
from tests.integration.worlds import off_on

libvirt = pytest.importorskip("libvirt", reason="libvirt-python is not installed")
pytestmark = pytest.mark.kvm

SECRET = "7b0b6c3e-5d1f-4b52-9a7e-1f1c5c0e7a11"
PCI = "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0' slot='0x1f' function='0'/></source></hostdev>"
ISO = "<disk type='file' device='cdrom'><source file='/srv/local/tools.iso'/><target dev='hdc' bus='ide'/><readonly/></disk>"
RBD = "<disk type='network' device='disk'><source protocol='rbd' name='vms/web1'><host name='10.77.0.250'/></source><target dev='hdb' bus='ide'/></disk>"
LUKS = (
    "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/srv/shared/locked.luks'>"
    f"<encryption format='luks'><secret type='passphrase' uuid='{SECRET}'/></encryption></source><target dev='hdb' bus='ide'/></disk>"
)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("network='guests'", "network='only1'", "network_missing"),
        ("</devices>", f"{PCI}</devices>", "host_device"),
        ("</devices>", f"{ISO}</devices>", "local_storage"),
        ("</devices>", f"{RBD}</devices>", "volume_not_in_pool"),
        ("</devices>", f"{LUKS}</devices>", "secret_missing"),
    ],
    ids=["bridge", "device", "medium", "rbd", "secret"],
)
def test_what_the_destination_lacks_refuses_a_vm_that_is_off(kvm_world: KvmWorld, old: str, new: str, code: str) -> None:
    world = kvm_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, power="off")
    source = world.lab.hosts[first]
    (source.pool_folder("local") / "tools.iso").write_bytes(bytes(65536))
    (source.pool_folder("shared") / "locked.luks").write_bytes(bytes(65536))
    with source.connection() as connection:
        xml = connection.lookupByUUIDString(web.id).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        assert old in xml
        connection.defineXML(xml.replace(old, new, 1))
    before = world.digest()
    answer = migrate(world, web, target_host=second, mode="offline", retries=0)
    assert answer.failed
    assert code in str(answer)
    assert world.where(web) == off_on(first)
    assert world.digest() == before
