# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses of hosts: checked, made safe, and written for people without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from ...model.errors import InputError

CONTROLLER_TRANSPORTS = ("ssh", "tls", "tcp", "unix")
PEER_TRANSPORTS = ("tls", "tcp", "ssh")
_EXAMPLE = "For example qemu+ssh://root@kvm1.example.com/system."
_PEER_EXAMPLE = "For example qemu+tls://kvm1.example.com/system: this is how the other hosts' libvirt daemons reach it."


@dataclass(frozen=True, slots=True)
class Uri:
    """``text`` is for libvirt, ``shown`` for people (no password), ``transport`` one of ssh, tls, tcp, unix; ``host`` is empty for a socket here."""

    text: str
    shown: str
    transport: str
    host: str
    port: int | None = None

    def without_secrets(self, message: str) -> str:
        """A message of libvirt's with this URI's password taken out."""
        password = urlsplit(self.text).password
        return message.replace(self.text, self.shown).replace(f":{password}@", ":***@") if password else message


def controller_uri(host: str, text: str) -> Uri:
    """How the controller reaches a host: qemu+ssh, qemu+tls, qemu+tcp, qemu+unix or qemu:///system. Raises InputError that names ``site.hosts.<host>.uri``."""
    option = f"site.hosts.{host}.uri"
    if not text:
        raise InputError(option, "is missing; the libvirt driver must know how to reach every host.", hint=_EXAMPLE)
    return _parse(option, text, CONTROLLER_TRANSPORTS, _EXAMPLE)


def peer_uri(host: str, text: str) -> Uri:
    """How other hosts reach a host; by default TLS to its name. Raises InputError that names ``site.hosts.<host>.peer_uri``."""
    option = f"site.hosts.{host}.peer_uri"
    return _parse(option, text or f"qemu+tls://{host}/system", PEER_TRANSPORTS, _PEER_EXAMPLE)


def _parse(option: str, text: str, transports: tuple[str, ...], example: str) -> Uri:
    try:
        parts = urlsplit(text)
        port, host, user = parts.port, parts.hostname or "", parts.username or ""
    except ValueError as error:
        raise InputError(option, f"{_hidden(text)!r} is not a URI: {error}.", hint=example) from None
    shown = _hidden(text)
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise InputError(option, f"{shown!r} holds a blank or a control character.", hint=example)
    transport = _transport(option, parts, shown, transports, example)
    if parts.path != "/system":
        raise InputError(option, f"{shown!r} does not end in /system, the hypervisor's own daemon.", hint=example)
    if transport == "unix" and host:
        raise InputError(option, f"{shown!r} names a host, but a socket is always on this machine.", hint="Take qemu+ssh, qemu+tls or qemu+tcp.")
    if transport != "unix" and not host:
        raise InputError(option, f"{shown!r} names no host.", hint=example)
    if host.startswith("-") or user.startswith("-"):
        raise InputError(option, f"{shown!r}: a host's or user's name does not begin with '-'.", hint=example)
    query = _query(option, parts.query, transport)
    return Uri(text.partition("?")[0] + (f"?{query}" if query else ""), shown, transport, host, port)


def _transport(option: str, parts: SplitResult, shown: str, transports: tuple[str, ...], example: str) -> str:
    driver, plus, transport = parts.scheme.partition("+")
    if driver != "qemu":
        raise InputError(option, f"{shown!r} is not a URI of libvirt's QEMU driver.", hint=example)
    if not plus:
        transport = "tls" if parts.netloc else "unix"
    if transport not in transports:
        allowed = ", ".join(f"qemu+{name}" for name in transports)
        raise InputError(option, f"{shown!r} goes by {transport!r}; allowed are {allowed}.", hint=example)
    return transport


def _query(option: str, query: str, transport: str) -> str:
    """The query with ssh kept from asking questions. ``no_verify`` would accept any host key or certificate, so it is refused."""
    kept = []
    # libvirt separates parameters by either sign
    for parameter in re.split("[&;]", query):
        name, _equals, value = parameter.partition("=")
        name = unquote(name)
        if name == "no_verify" and unquote(value) != "0":
            raise InputError(
                option,
                "no_verify=1 would accept anybody's host key or certificate, and is refused.",
                hint="Put the host's key into known_hosts, or the CA's certificate where libvirt looks for it, and take no_verify out.",
            )
        if parameter and name not in ("no_verify", "no_tty"):
            kept.append(parameter)
    if transport == "ssh":
        kept.append("no_tty=1")  # ssh's batch mode: an unknown host key or a missing key is an error, never a question
    return "&".join(kept)


def _hidden(text: str) -> str:
    """The URI without its password, also of one that is not well formed."""
    return re.sub(r"(://[^/@:]*):[^/?#]*@", r"\1:***@", text)
