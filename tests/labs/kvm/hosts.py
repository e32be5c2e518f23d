# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One lab host: its power, its libvirtd and sshd, and the URIs that reach it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlencode

import libvirt

from .build import Artifacts
from .certificates import Certificates
from .commands import LabError, run, wait_until
from .config import POOL_PATHS, SHARED_POOL, Addresses, LabConfig
from .host_files import shared_folder, write_host_files
from .ssh import SshKeys

INIT_SCRIPT = Path(__file__).with_name("init.sh")
POWER_TIMEOUT_S = 20.0
DAEMON_STARTS = 5
DAEMON_TIMEOUT_S = 30.0


class Transport(StrEnum):
    """How a connection reaches a host's libvirtd."""

    UNIX = "unix"
    TCP = "tcp"
    TLS = "tls"
    SSH = "ssh"


class Host:
    """A lab host by its name (kvm1 ...). What runs is asked from the kernel each time; nothing is remembered."""

    def __init__(self, name: str, config: LabConfig, addresses: Addresses, artifacts: Artifacts) -> None:
        self.name = name
        self.management_address = addresses.management(name)
        self.migration_address = addresses.migration(name)
        self.namespace = addresses.host_namespace(name)
        self.folder = config.host_folder(name)
        self._config = config
        self._addresses = addresses
        self._artifacts = artifacts
        self._certificates = Certificates(config, addresses)
        self._ssh = SshKeys(config, addresses)

    # ------------------------------------------------------------ addresses

    def uri(self, transport: str = Transport.UNIX, identity: str = "trusted") -> str:
        """The URI of this host for the controller.

        identity, for tls: `trusted`, `none` (no client certificate), `stranger` (one of another CA); for ssh: `trusted`, `unknown_hosts`.
        ssh goes by a program of the lab (`command=`), because libvirt's ssh transport takes no known_hosts file of its own.
        """
        match Transport(transport):
            case Transport.UNIX:
                return f"qemu+unix:///system?{urlencode({'socket': self.socket}, safe='/')}"
            case Transport.TCP:
                return f"qemu+tcp://{self.management_address}/system"
            case Transport.TLS:
                pki = {"pkipath": self._certificates.controller_folder(identity)}
                return f"qemu+tls://{self.management_address}/system?{urlencode(pki, safe='/')}"
            case Transport.SSH:
                options = {"keyfile": self._ssh.client_key, "command": self._ssh.command(identity), "no_tty": 1}
                return f"qemu+ssh://root@{self.management_address}/system?{urlencode(options, safe='/')}"

    def peer_uri(self, transport: str = Transport.TLS) -> str:
        """The URI of this host for the daemons of the other hosts: tls or tcp."""
        if transport not in {Transport.TLS, Transport.TCP}:
            raise ValueError(f"peers reach each other by tls or tcp, not {transport}")
        return f"qemu+{transport}://{self.management_address}/system"

    @property
    def socket(self) -> Path:
        return self.folder / "run/libvirt-sock"

    def pool_folder(self, pool: str) -> Path:
        """The folder on the machine behind one of the host's pools."""
        return shared_folder(self._config) if pool == SHARED_POOL else self.folder / "local"

    @contextmanager
    def connection(self) -> Iterator[libvirt.virConnect]:
        """A connection over the host's socket for a `with` block."""
        connection = libvirt.open(self.uri(Transport.UNIX))
        try:
            yield connection
        finally:
            connection.close()

    # ------------------------------------------------------------ power

    def is_powered(self) -> bool:
        return self._init_pid() is not None

    def power_on(self) -> None:
        """Switch the host on: namespaces, libvirtd and, in an authenticated lab, sshd. Does nothing when it is on and its daemons run."""
        if not self.is_powered():
            self._boot()
        wait_until((self.folder / "ready").exists, f"{self.name} to boot (see {self.folder}/init.log)", timeout_s=POWER_TIMEOUT_S)
        self.start_daemon()
        if self._config.authenticated:
            self.start_sshd()

    def power_off(self) -> None:
        """Pull the plug: kill the host's first process, and the kernel kills all others, guests included. Disks and definitions stay."""
        pid = self._init_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        for leftover in self.processes():
            _kill(leftover)
        wait_until(lambda: not self.processes(), f"{self.name} to lose power", timeout_s=POWER_TIMEOUT_S)

    # ------------------------------------------------------------ daemons

    def daemon_pids(self) -> list[int]:
        return [pid for pid in self.processes() if _program(pid) == "libvirtd"]

    def start_daemon(self) -> None:
        """Start libvirtd if it does not run, and wait until it answers. Guests of an earlier one are taken over."""
        if not self.daemon_pids():
            environment = [f"LD_PRELOAD={self._artifacts.shim}", f"VMOPS_LAB_SHARED_FOLDER={POOL_PATHS[SHARED_POOL]}"]
            if self._memory_file().exists():
                environment.append(f"VMOPS_LAB_MEMORY_MIB={self._memory_file().read_text()}")
            self._launch(["env", *environment, "/usr/sbin/libvirtd", "--listen", "--daemon", "--pid-file", "/run/libvirtd.pid"])
        wait_until(self.answers, f"libvirtd of {self.name} to answer (see {self.folder}/libvirt-log/libvirtd.log)", timeout_s=DAEMON_TIMEOUT_S)

    def _launch(self, command: list[str]) -> None:
        """A start that was killed may have left a libvirtd on its way up, which holds the ports already: then that one is the daemon, or is gone soon."""
        for attempt in range(DAEMON_STARTS):
            try:
                self.run(command)
                return
            except LabError:
                time.sleep(1)
                if self.daemon_pids():
                    return
                if attempt == DAEMON_STARTS - 1:
                    raise

    def kill_daemon(self) -> None:
        """SIGKILL libvirtd; guests run on."""
        for pid in self.daemon_pids():
            _kill(pid)
        wait_until(lambda: not self.daemon_pids(), f"libvirtd of {self.name} to end", timeout_s=DAEMON_TIMEOUT_S)

    def freeze_daemon(self) -> None:
        """SIGSTOP libvirtd: it accepts connections and never answers. thaw_daemon lets it go on."""
        for pid in self.daemon_pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw_daemon(self) -> None:
        for pid in self.daemon_pids():
            os.kill(pid, signal.SIGCONT)

    def restart_daemon(self) -> None:
        """Kill libvirtd and start it again, with the certificates and the memory size that are set now."""
        self.kill_daemon()
        self.start_daemon()

    def answers(self) -> bool:
        try:
            with self.connection():
                return True
        except libvirt.libvirtError:
            return False

    def start_sshd(self) -> None:
        if not self._sshd_pids():
            self.run(["/usr/sbin/sshd", "-f", "/etc/ssh/sshd_config"])

    def stop_sshd(self) -> None:
        """Open sessions end as well."""
        for pid in self._sshd_pids():
            _kill(pid)
        wait_until(lambda: not self._sshd_pids(), f"sshd of {self.name} to end", timeout_s=DAEMON_TIMEOUT_S)

    def restart_sshd(self) -> None:
        """With the host key that is installed now."""
        self.stop_sshd()
        self.start_sshd()

    def limit_memory(self, memory_mib: int | None) -> None:
        """Let libvirt see a host of memory_mib (None: the machine's own size). Restarts libvirtd; guests run on."""
        self._memory_file().unlink(missing_ok=True)
        if memory_mib is not None:
            self._memory_file().write_text(str(memory_mib))
        if self.is_powered():
            self._apply_memory_limit()
            self.restart_daemon()

    @property
    def memory_is_limited(self) -> bool:
        return self._memory_file().exists()

    # ------------------------------------------------------------ trust

    def restore_trust(self) -> None:
        """Give the host its own certificates and ssh key back, whatever the tests of distrust did to them."""
        if self._certificates.server_is_stranger(self.name):
            self.kill_daemon()
        self._certificates.install(self.name)
        if self._config.authenticated:
            if self._ssh.host_key_is_stranger(self.name):
                self.stop_sshd()
            self._ssh.install(self.name)

    # ------------------------------------------------------------ inside

    def run(self, command: list[str | Path], *, check: bool = True) -> str:
        """Run a program inside the host's namespaces and return its output."""
        pid = self._init_pid()
        if pid is None:
            raise LabError(f"{self.name} is switched off")
        return run(["nsenter", "--target", str(pid), "--mount", "--uts", "--ipc", "--pid", "--net", *command], check=check)

    def _boot(self) -> None:
        write_host_files(self._config, self._addresses, self.name)
        for entry in (self.folder / "run").rglob("*"):  # libvirt takes an empty /run/libvirt for a fresh boot and starts what is marked autostart
            if not entry.is_dir():
                entry.unlink()
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOST_NAME": self.name,
            "HOST_FOLDER": str(self.folder),
            "SHARED_FOLDER": str(shared_folder(self._config)),
        }
        # setsid --fork: the host is nobody's child, so that it outlives this process and leaves no zombie in it
        enter = ["setsid", "--fork", "ip", "netns", "exec", self.namespace]
        unshare = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", str(INIT_SCRIPT)]
        log = self.folder / "init.log"
        with log.open("w") as output:
            subprocess.run([*enter, *unshare], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, check=True, timeout=POWER_TIMEOUT_S)
        try:
            wait_until(ready.exists, f"{self.name} to boot", timeout_s=POWER_TIMEOUT_S)
        except LabError as error:
            raise LabError(f"{error}: {log.read_text().strip()}") from error
        self._apply_memory_limit()

    def _apply_memory_limit(self) -> None:
        self.run(["umount", "/proc/meminfo"], check=False)  # fails when nothing covers it
        if self._memory_file().exists():
            (self.folder / "meminfo").write_text(_meminfo(int(self._memory_file().read_text())))
            self.run(["mount", "--bind", self.folder / "meminfo", "/proc/meminfo"])

    def _init_pid(self) -> int | None:
        """The host's first process as the machine numbers it: the one that is number 1 in its own namespace."""
        return next((pid for pid in self.processes() if _innermost_number(pid) == 1), None)

    def processes(self) -> list[int]:
        """Everything that runs on the host, guests included, as the machine numbers it."""
        return namespace_processes(self.namespace)

    def _sshd_pids(self) -> list[int]:
        return [pid for pid in self.processes() if _program(pid) == "sshd"]

    def _memory_file(self) -> Path:
        return self.folder / "memory-limit-mib"


def namespace_processes(namespace: str) -> list[int]:
    """The processes in a network namespace; none when there is no such namespace."""
    return [int(pid) for pid in run(["ip", "netns", "pids", namespace], check=False).split()]


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _innermost_number(pid: int) -> int | None:
    """The number that a process has in its own PID namespace; None when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    numbers = next(line.split()[1:] for line in lines if line.startswith("NSpid:"))
    return int(numbers[-1]) if len(numbers) > 1 else None


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _meminfo(memory_mib: int) -> str:
    names = ("MemTotal", "MemFree", "MemAvailable")
    values = dict.fromkeys(names, memory_mib * 1024) | {"Buffers": 0, "Cached": 0, "SwapTotal": 0, "SwapFree": 0}
    return "".join(f"{name + ':':<16}{value:>8} kB\n" for name, value in values.items())
