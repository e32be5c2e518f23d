# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What libvirt's errors of connecting mean, in words that tell an operator what to do. Everything else is told by libvirt's own message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ...model.errors import HostUnreachable, MigrationError, PeerUnreachable, StateConflict
from .library import libvirt
from .uri import Uri


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a connection cannot be opened. ``missing`` completes "what is missing: ..."; ``hint`` holds {client} and {server}, the two machines."""

    missing: str
    hint: str


_CERTIFICATE_HINT = (
    "On {client}: /etc/pki/CA/cacert.pem, /etc/pki/libvirt/clientcert.pem and /etc/pki/libvirt/private/clientkey.pem; "
    "on {server}: servercert.pem and serverkey.pem of the same CA, with the name or address that the URI has."
)
_TROUBLES: tuple[tuple[str, Trouble], ...] = (
    (
        r"host key verification failed|host key.*(changed|unknown)|remote host identification has changed",
        Trouble(
            "the ssh host key of {server} is not known to {client}, or has changed", "Compare the key's fingerprint, then put it into {client}'s known_hosts."
        ),
    ),
    (
        r"permission denied|too many authentication failures|no more authentication methods",
        Trouble("an ssh key of {client} that {server} accepts", "Put {client}'s public key into authorized_keys on {server}; passwords are never asked for."),
    ),
    (
        r"unable to read tls confirmation|certificate (is )?required|bad certificate|client certificate.*not|could not negotiate tls",
        Trouble("a client certificate of {client} that {server} trusts", _CERTIFICATE_HINT),
    ),
    (r"cannot read ca certificate|cacert", Trouble("the CA's certificate on {client}", _CERTIFICATE_HINT)),
    (r"cannot read (the )?private key|clientkey", Trouble("the client key on {client}", _CERTIFICATE_HINT)),
    (r"cannot read certificate|clientcert", Trouble("the client certificate on {client}", _CERTIFICATE_HINT)),
    (
        r"failed validation|certificate failed|verify peer's certificate"
        r"|certificate.*(not trusted|known issuer|unknown issuer|expired|not yet|does not match|revoked|insecure)",
        Trouble("a certificate of {server} that {client} trusts", _CERTIFICATE_HINT),
    ),
    (
        r"unable to resolve|could not resolve|name or service not known|name resolution|nodename nor servname",
        Trouble("the name of {server}: {client} cannot resolve it", "Correct the URI, or the name service or /etc/hosts of {client}."),
    ),
    (
        r"failed to connect socket|no such file or directory",
        Trouble("libvirt's socket: its daemon does not run, or listens elsewhere", "Start libvirtd or virtqemud, or name its socket in the URI."),
    ),
    (
        r"connection refused",
        Trouble(
            "an open port: {server} refuses the connection",
            "Is libvirt's daemon running and listening there (virtproxyd or libvirtd, 16514 for TLS, 16509 for TCP, 22 for ssh)?",
        ),
    ),
    (
        r"no route to host|network is unreachable|host is down|timed out|timeout|did not answer",
        Trouble(
            "an answer of {server}: no way leads there, or it is off", "Check that {server} runs, and the network and firewalls between {client} and {server}."
        ),
    ),
    (
        r"authentication (failed|unavailable)|access denied|not authori[sz]ed",
        Trouble("the right to manage {server}", "Check the account of the URI, polkit and SASL."),
    ),
    (
        r"end of file while reading data|broken pipe|connection reset",
        Trouble(
            "the other side: {server} closed the connection", "Over ssh, {server} needs virt-ssh-helper or nc, and the account the right to libvirt's socket."
        ),
    ),
)


def find_trouble(message: str) -> Trouble | None:
    """What a message of a failed connection means; None where it is not about connecting."""
    for pattern, trouble in _TROUBLES:
        if re.search(pattern, message, re.IGNORECASE):
            return trouble
    return None


def cannot_open(host: str, uri: Uri, message: str) -> HostUnreachable:
    """The error for a host that the controller cannot open."""
    message = uri.without_secrets(message)
    trouble = find_trouble(message)
    if trouble is None:
        return HostUnreachable(host, f"{host} ({uri.shown}) cannot be opened: {message}.", hint=f"Check site.hosts.{host}.uri.")
    missing, hint = _named(trouble, "the controller", host)
    return HostUnreachable(host, f"{host} ({uri.shown}) cannot be opened; what is missing: {missing}. libvirt says: {message}.", hint=hint)


def cannot_open_peer(source: str, target: str, uri: Uri, message: str) -> PeerUnreachable:
    """The error for a host that another host cannot open. Both are named, and what is missing."""
    trouble = find_trouble(uri.without_secrets(message))
    missing, hint = _named(trouble, source, target) if trouble else ("unknown", "")
    text = f"{source} cannot open {target} ({uri.shown}); what is missing: {missing}. libvirt on {source} says: {uri.without_secrets(message)}."
    return PeerUnreachable(source, target, text, hint=hint or f"Check site.hosts.{target}.peer_uri.")


def _named(trouble: Trouble, client: str, server: str) -> tuple[str, str]:
    return trouble.missing.format(client=client, server=server), trouble.hint.format(client=client, server=server)


def is_about_connecting(error: Any) -> bool:
    """True for a libvirtError of the remote protocol or its transport: by the error's domain, since its code is anything."""
    domains = (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE, libvirt.VIR_FROM_AUTH)
    return error.get_error_domain() in domains or error.get_error_code() in (libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_RPC)


def refused(host: str, doing: str, error: Any) -> MigrationError:
    """The error for a call that a host answered, but not with success."""
    text = f"{host}: {doing} failed: {error.get_error_message()}."
    if error.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
        return StateConflict(text)
    return MigrationError(text, code="hypervisor_refused")


def is_missing(error: Any) -> bool:
    """True where libvirt says that the object does not exist (any more)."""
    return error.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_SECRET, libvirt.VIR_ERR_NO_DOMAIN_METADATA, libvirt.VIR_ERR_NO_STORAGE_VOL)
