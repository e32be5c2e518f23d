# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that make a folder a lab host: libvirt's configuration, users, names. Written before a host is switched on."""

from __future__ import annotations

from pathlib import Path

from .certificates import ORGANISATION
from .config import Addresses, LabConfig

SUBFOLDERS = ("etc", "libvirt-config", "libvirt-state", "libvirt-log", "libvirt-cache", "run", "pki", "ssh", "local")

QEMU_OWNER = {
    False: 'user = "root"\ngroup = "root"\ndynamic_ownership = 0\n',
    True: 'user = "libvirt-qemu"\ngroup = "libvirt-qemu"\ndynamic_ownership = 1\n',
}
QEMU_CONF = """\
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
default_tls_x509_cert_dir = "/etc/pki/qemu"
default_tls_x509_verify = 1
"""

# libvirtd refuses to start without a user libvirt-qemu; sshd wants its own. "*": no password, but not locked.
PASSWD = """\
root:x:0:0:root:/root:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
sshd:x:64054:65534::/run/sshd:/usr/sbin/nologin
libvirt-qemu:x:64055:64055::/var/lib/libvirt:/bin/false
"""
SHADOW = "root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\nlibvirt-qemu:*:19000:0:99999:7:::\n"
GROUP = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\nlibvirt-qemu:x:64055:\nkvm:x:64056:\n"
NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"


def write_host_files(config: LabConfig, addresses: Addresses, host: str) -> None:
    """Write everything that is not a certificate or an ssh key; what the host itself has made (definitions, disks) stays."""
    folder = config.host_folder(host)
    for name in SUBFOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "libvirt-config/libvirtd.conf").write_text(_libvirtd_conf(config, host))
    (folder / "libvirt-config/qemu.conf").write_text(QEMU_OWNER[config.unprivileged] + QEMU_CONF)
    if config.unprivileged:
        (folder / "local").chmod(SEARCH_ONLY)
    etc = folder / "etc"
    files = {
        "passwd": PASSWD,
        "shadow": SHADOW,
        "group": GROUP,
        "nsswitch.conf": NSSWITCH,
        "hostname": f"{host}.lab\n",
        "machine-id": config.uuid_of(host, "machine").replace("-", "") + "\n",
        "hosts": _hosts(config, addresses),
    }
    for name, text in files.items():
        (etc / name).write_text(text)


SEARCH_ONLY = 0o711
"""Of a folder: others may open what they know the name of, and may not look what there is."""


def heartbeat_folder(config: LabConfig) -> Path:
    """Where the guests' serial ports are written; the same path on the machine and on every host."""
    return config.folder / "heartbeats"


def shared_folder(config: LabConfig) -> Path:
    """The folder on the machine that is the shared pool of all hosts."""
    return config.folder / "shared"


def _libvirtd_conf(config: LabConfig, host: str) -> str:
    lines = [
        f'host_uuid = "{config.uuid_of(host)}"',
        'unix_sock_rw_perms = "0700"',
        'auth_unix_rw = "none"',
        "listen_tls = 1",
        'auth_tls = "none"',
        'log_outputs = "2:file:/var/log/libvirt/libvirtd.log"',
    ]
    if config.authenticated:
        lines += ["listen_tcp = 0", "tls_no_verify_certificate = 0", f'tls_allowed_dn_list = ["*O={ORGANISATION}*"]']
    else:
        lines += ["listen_tcp = 1", 'auth_tcp = "none"', "tls_no_verify_certificate = 1"]
    return "\n".join(lines) + "\n"


def _hosts(config: LabConfig, addresses: Addresses) -> str:
    lines = ["127.0.0.1 localhost", f"{addresses.controller_address} controller.lab"]
    for host in config.host_names:
        lines += [f"{addresses.management(host)} {host}.lab {host}", f"{addresses.migration(host)} {host}-migration.lab"]
    return "\n".join(lines) + "\n"
