# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to the server: login, certificates, sessions that expire, connections that break. No password shows anywhere."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, LIGHT
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.connection import VCenter
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.driver import VsphereDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import HostUnreachable, InputError, MigrationError

from tests.labs.kvm.certificates import CertificateAuthority
from tests.labs.vsphere.lab import PASSWORD, VsphereLab

pytestmark = pytest.mark.vsphere


@pytest.mark.parametrize(
    ("changes", "kind", "code", "words"),
    [
        ({"password": "wrong-secret"}, InputError, "login_failed", "site.vsphere.username"),
        ({"username": "nobody@vsphere.local"}, InputError, "login_failed", "site.vsphere.password"),
        ({"ca_path": ""}, InputError, "certificate_untrusted", "site.vsphere.ca_path"),
        ({"port": 1}, HostUnreachable, "host_unreachable", "port 1"),
        ({"hostname": "nowhere.invalid"}, HostUnreachable, "host_unreachable", "nowhere.invalid"),
    ],
)
def test_what_is_wrong_on_the_way_is_named(vsphere_lab: VsphereLab, changes: dict[str, object], kind: type[MigrationError], code: str, words: str) -> None:
    with VsphereDriver(vsphere_lab.site_options(**changes)) as driver, pytest.raises(kind) as met:
        driver.snapshot(LIGHT)
    assert met.value.code == code
    assert words in str(met.value)
    assert PASSWORD not in str(met.value)
    assert "wrong-secret" not in str(met.value)


def test_a_certificate_has_to_bear_the_name_that_is_asked_for(vsphere_authority: CertificateAuthority) -> None:
    with VsphereLab(vsphere_authority, names=("DNS:elsewhere.example",), is_trusted=False) as lab:
        with VsphereDriver(lab.site_options()) as driver, pytest.raises(InputError) as met:
            driver.snapshot(LIGHT)
        assert met.value.code == "certificate_untrusted"
        with VsphereDriver(lab.site_options(validate_certs=False)) as driver:
            assert len(driver.snapshot(LIGHT).hosts) == 3


def test_the_password_shows_in_no_text_of_the_options(vsphere_lab: VsphereLab) -> None:
    assert PASSWORD not in repr(vsphere_lab.site_options())


def test_an_expired_session_is_renewed_and_a_broken_connection_opened_again(vsphere_lab: VsphereLab) -> None:
    vsphere_lab.add_vm("web1", vsphere_lab.hosts[0])
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        before = driver.snapshot(EVERYTHING)
        vsphere_lab.settings(expire_sessions=True)
        assert driver.snapshot(EVERYTHING).vms == before.vms
        vsphere_lab.settings(drop_connections=1)
        assert driver.snapshot(EVERYTHING).vms == before.vms


def test_a_call_that_may_not_be_made_twice_is_not(vsphere_lab: VsphereLab) -> None:
    center = VCenter(vsphere_lab.site_options())
    center.run("looking", lambda link: link.content.about)
    made: list[int] = []

    def call(link: object) -> None:
        made.append(1)
        link.service.CurrentTime()  # type: ignore[attr-defined]

    vsphere_lab.settings(drop_connections=1)
    with pytest.raises(HostUnreachable):
        center.run("counting", call, repeat=False)
    assert len(made) == 1
    center.run("counting", call)
    center.close()
    center.close()


def test_sessions_are_logged_out(vsphere_lab: VsphereLab) -> None:
    before = len(vsphere_lab.content.sessionManager.sessionList)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        driver.snapshot(LIGHT)
        assert len(vsphere_lab.content.sessionManager.sessionList) == before + 1
    assert len(vsphere_lab.content.sessionManager.sessionList) == before
