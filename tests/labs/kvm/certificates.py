# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's certificate authority, the certificates of its hosts and its controller, and those of a stranger whom nobody trusts."""

from __future__ import annotations

import shutil
from pathlib import Path

from .commands import run
from .config import Addresses, LabConfig

ORGANISATION = "vmops-lab"
VALID_DAYS = "30"
EXTENSIONS = """\
basicConstraints=CA:FALSE
keyUsage=digitalSignature,keyEncipherment
extendedKeyUsage=serverAuth,clientAuth
"""
EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")


class CertificateAuthority:
    """Signs certificates into its folder: ca.pem, and <name>.pem with <name>.key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def create(self) -> None:
        if self.certificate.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        partial = self.folder / "ca.partial"
        extensions = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        subject = ("-subj", f"/O={ORGANISATION}/CN={self.folder.name}", "-days", VALID_DAYS)
        run(["openssl", "req", "-x509", *EC_KEY, *subject, *extensions, "-keyout", self.folder / "ca.key", "-out", partial])
        partial.rename(self.certificate)

    def issue(self, name: str, alternative_names: list[str]) -> tuple[Path, Path]:
        """Certificate and key for name, good for servers and for clients. alternative_names: `DNS:...`, `IP:...`."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        if not certificate.exists():
            request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
            alternatives = ",".join(alternative_names)
            extensions.write_text(f"{EXTENSIONS}subjectAltName={alternatives}\n")
            run(["openssl", "req", *EC_KEY, "-subj", f"/O={ORGANISATION}/CN={name}", "-keyout", key, "-out", request])
            signer = ("-CA", self.certificate, "-CAkey", self.folder / "ca.key", "-CAcreateserial")
            partial = self.folder / f"{name}.partial"
            run(["openssl", "x509", "-req", "-in", request, *signer, "-days", VALID_DAYS, "-extfile", extensions, "-out", partial])
            partial.rename(certificate)
        return certificate, key


class Certificates:
    """Who holds which certificate in one lab: the hosts' /etc/pki and the controller's folders for `pkipath`."""

    def __init__(self, config: LabConfig, addresses: Addresses) -> None:
        self._config = config
        self._addresses = addresses
        self._authority = CertificateAuthority(config.folder / "ca")
        self._stranger = CertificateAuthority(config.folder / "strangers-ca")

    def controller_folder(self, identity: str) -> Path:
        """For `pkipath=`; identity: `trusted`, `none` (the CA's certificate only) or `stranger` (a client certificate of another CA)."""
        return self._config.folder / "controller" / f"pki-{identity}"

    def create(self) -> None:
        """Everything for all hosts and the controller; what is there already stays."""
        self._authority.create()
        self._stranger.create()
        for host in self._config.host_names:
            self.install(host)
        for identity in ("trusted", "none", "stranger"):
            self._install_controller(identity)

    def install(self, host: str) -> None:
        """The host's own certificates in its /etc/pki, as server and as client of its peers."""
        pki = self._config.host_folder(host) / "pki"
        certificate, key = self._issue(self._authority, host)
        for folder in ("CA", "libvirt/private", "qemu"):
            (pki / folder).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._authority.certificate, pki / "CA/cacert.pem")
        shutil.copyfile(self._authority.certificate, pki / "qemu/ca-cert.pem")
        for role in ("server", "client"):
            shutil.copyfile(certificate, pki / f"libvirt/{role}cert.pem")
            shutil.copyfile(key, pki / f"libvirt/private/{role}key.pem")
            shutil.copyfile(certificate, pki / f"qemu/{role}-cert.pem")
            shutil.copyfile(key, pki / f"qemu/{role}-key.pem")

    def remove_client_certificate(self, host: str) -> None:
        """From now on the host shows no certificate when it opens a connection to a peer."""
        pki = self._config.host_folder(host) / "pki/libvirt"
        (pki / "clientcert.pem").unlink(missing_ok=True)
        (pki / "private/clientkey.pem").unlink(missing_ok=True)

    def make_client_a_stranger(self, host: str) -> None:
        """From now on the host shows its peers a client certificate that another CA signed."""
        pki = self._config.host_folder(host) / "pki/libvirt"
        certificate, key = self._issue(self._stranger, host)
        shutil.copyfile(certificate, pki / "clientcert.pem")
        shutil.copyfile(key, pki / "private/clientkey.pem")

    def make_server_a_stranger(self, host: str) -> None:
        """From the next start of its libvirtd the host shows a server certificate that another CA signed."""
        pki = self._config.host_folder(host) / "pki/libvirt"
        certificate, key = self._issue(self._stranger, host)
        shutil.copyfile(certificate, pki / "servercert.pem")
        shutil.copyfile(key, pki / "private/serverkey.pem")
        # libvirtd refuses to start with a certificate that its own CA did not sign
        shutil.copyfile(self._stranger.certificate, pki.parent / "CA/cacert.pem")

    def server_is_stranger(self, host: str) -> bool:
        """Whether the host's server certificate is not its own."""
        installed, own = self._config.host_folder(host) / "pki/libvirt/servercert.pem", self._authority.folder / f"{host}.pem"
        return installed.exists() and installed.read_bytes() != own.read_bytes()

    def _issue(self, authority: CertificateAuthority, host: str) -> tuple[Path, Path]:
        management, migration = self._addresses.management(host), self._addresses.migration(host)
        return authority.issue(host, [f"DNS:{host}", f"DNS:{host}.lab", f"DNS:{host}-migration.lab", f"IP:{management}", f"IP:{migration}"])

    def _install_controller(self, identity: str) -> None:
        folder = self.controller_folder(identity)
        folder.mkdir(parents=True, exist_ok=True)
        trusted = self._authority.certificate.read_text()
        if identity == "stranger":  # trusts its own CA too, or libvirt's client would refuse its own certificate and never ask the server
            trusted += self._stranger.certificate.read_text()
        (folder / "cacert.pem").write_text(trusted)
        if identity == "none":
            return
        authority = self._stranger if identity == "stranger" else self._authority
        certificate, key = authority.issue("controller", ["DNS:controller.lab", f"IP:{self._addresses.controller_address}"])
        shutil.copyfile(certificate, folder / "clientcert.pem")
        shutil.copyfile(key, folder / "clientkey.pem")
