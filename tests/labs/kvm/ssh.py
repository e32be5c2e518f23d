# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ssh of an authenticated lab: an sshd with its own key per host, and the controller's key, known hosts and ssh command."""

from __future__ import annotations

import shlex
from pathlib import Path

from .commands import run
from .config import Addresses, LabConfig

SSHD_CONFIG = """\
Port 22
ListenAddress {address}
HostKey /etc/ssh/host_key
PidFile /run/sshd/sshd.pid
AuthorizedKeysFile /etc/ssh/authorized_keys
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
MaxStartups 100
"""

# StrictHostKeyChecking yes: an unknown or changed host key is an error, never a question.
CLIENT_CONFIG = """\
Host *
  User root
  IdentityFile {folder}/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile {known_hosts}
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 10
"""


class SshKeys:
    """Keys and configuration of one lab. The controller's files are in <lab>/controller/ssh."""

    def __init__(self, config: LabConfig, addresses: Addresses) -> None:
        self._config = config
        self._addresses = addresses
        self.folder = config.folder / "controller" / "ssh"

    @property
    def client_key(self) -> Path:
        return self.folder / "id_ed25519"

    def command(self, identity: str) -> Path:
        """A program that is ssh with the lab's key; identity: `trusted` (knows the hosts' keys) or `unknown_hosts` (knows none)."""
        return self.folder / f"ssh-{identity}"

    def create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        _new_key(self.client_key, "controller")
        for host in self._config.host_names:
            self.install(host)
        self._write_client("trusted", self._known_hosts())
        self._write_client("unknown_hosts", "")

    def install(self, host: str) -> None:
        """The host's own key, the one that the controller knows; takes effect with the next connection."""
        folder = self._config.host_folder(host) / "ssh"
        keys = self._config.folder / "ssh-host-keys"
        keys.mkdir(exist_ok=True)
        _new_key(keys / host, host)
        folder.mkdir(parents=True, exist_ok=True)
        _copy_key(keys / host, folder / "host_key")
        (folder / "authorized_keys").write_text(_public(self.client_key))
        (folder / "sshd_config").write_text(SSHD_CONFIG.format(address=self._addresses.management(host)))

    def replace_host_key(self, host: str) -> None:
        """The host shows a key that the controller does not know, from the next start of its sshd."""
        folder = self._config.host_folder(host) / "ssh"
        _new_key(self._config.folder / "ssh-host-keys" / f"{host}-stranger", host)
        _copy_key(self._config.folder / "ssh-host-keys" / f"{host}-stranger", folder / "host_key")

    def host_key_is_stranger(self, host: str) -> bool:
        """Whether the host's ssh key is not the one that the controller knows."""
        installed, own = self._config.host_folder(host) / "ssh/host_key", self._config.folder / "ssh-host-keys" / host
        return installed.exists() and installed.read_bytes() != own.read_bytes()

    def _known_hosts(self) -> str:
        lines = []
        for host in self._config.host_names:
            public = _public(self._config.folder / "ssh-host-keys" / host)
            lines.append(f"{self._addresses.management(host)},{host},{host}.lab {public}")
        return "".join(lines)

    def _write_client(self, identity: str, known_hosts: str) -> None:
        known_hosts_file = self.folder / f"known_hosts-{identity}"
        known_hosts_file.write_text(known_hosts)
        config = self.folder / f"config-{identity}"
        config.write_text(CLIENT_CONFIG.format(folder=self.folder, known_hosts=known_hosts_file))
        command = self.command(identity)
        command.write_text(f'#!/bin/sh\nexec ssh -F {shlex.quote(str(config))} "$@"\n')
        command.chmod(0o755)


def _new_key(path: Path, comment: str) -> None:
    if not path.with_name(f"{path.name}.pub").exists():  # written last
        path.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])


def _public(key: Path) -> str:
    return key.with_name(f"{key.name}.pub").read_text()


def _copy_key(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())
    target.chmod(0o600)
