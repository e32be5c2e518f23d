# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A vSphere API server of one's own: hosts, datastores and VMs that are made and asked through the API itself, apart from the driver under test."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.request
from types import TracebackType
from typing import Any

from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SiteOptions
from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim

from tests.labs.kvm.certificates import CertificateAuthority

from .build import built_server
from .making_vms import file_stem, vm_spec

ADDRESS = "127.0.0.3"
"""Neither localhost nor 127.0.0.1, for which pyVmomi checks no certificate."""

USERNAME, PASSWORD = "operator@vsphere.local", "lab-Passw0rd%s&<x>"
SHARED = "shared"
NETWORK = "guests"


class VsphereLab:
    """One server with a cluster of ``host_count`` hosts (or more clusters, or datacenters). ``is_trusted`` is False for one whose certificate does not bear
    its name; ``shared`` is the datastore that all hosts mount (empty: none). Use it as a context; the server ends with it, or with its process."""

    def __init__(
        self,
        authority: CertificateAuthority,
        *,
        host_count: int = 3,
        cluster_count: int = 1,
        datacenter_count: int = 1,
        vm_count: int = 0,
        names: tuple[str, ...] = (f"IP:{ADDRESS}",),
        is_trusted: bool = True,
        shared: str = SHARED,
    ) -> None:
        self._shared = shared
        self.authority = authority
        self._counts = ("-datacenters", str(datacenter_count), "-clusters", str(cluster_count), "-hosts", str(host_count), "-vms", str(vm_count))
        label = "vcenter-" + "-".join(names).replace(":", "_").replace(".", "_")
        self._certificate, self._key = authority.issue(label, list(names))
        self._is_trusted = is_trusted
        self._process: subprocess.Popen[str] | None = None
        self._service: Any = None
        self._made = 0
        self.port, self._control = 0, ""

    def __enter__(self) -> VsphereLab:
        keys = ("-tlscert", str(self._certificate), "-tlskey", str(self._key))
        command = [str(built_server()), "-listen", f"{ADDRESS}:0", "-username", USERNAME, *self._counts, *keys]
        environment = {"VCSIM_PASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            raise AssertionError(f"the server did not start; it ended with {self._process.wait()}")
        ready = json.loads(said)
        self.port, self._control = int(ready["address"].rpartition(":")[2]), f"http://{ready['control']}"
        self.make_datastores()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._service is not None:
            Disconnect(self._service)
        assert self._process is not None
        self._process.terminate()
        self._process.communicate(timeout=20)

    # ------------------------------------------------------------ asking

    def connection(self) -> Any:
        """A session of the tests' own, kept until the end."""
        if self._service is None:
            trusted = ssl.create_default_context(cafile=str(self.authority.certificate))
            if not self._is_trusted:
                trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
            self._service = SmartConnect(host=ADDRESS, port=self.port, user=USERNAME, pwd=PASSWORD, sslContext=trusted)
        return self._service

    def forget_session(self) -> None:
        """The tests' own session has ended with all others; the next question opens a new one."""
        self._service = None

    def another_connection(self, port: int) -> Any:
        """A session through another port, such as that of a proxy."""
        trusted = ssl.create_default_context(cafile=str(self.authority.certificate))
        return SmartConnect(host=ADDRESS, port=port, user=USERNAME, pwd=PASSWORD, sslContext=trusted)

    @property
    def content(self) -> Any:
        """The service's content: its managers and root folder."""
        return self.connection().RetrieveContent()

    def all_of(self, kind: Any) -> list[Any]:
        """All managed objects of a type."""
        content = self.content
        view = content.viewManager.CreateContainerView(content.rootFolder, [kind], recursive=True)
        try:
            return list(view.view)
        finally:
            view.Destroy()

    def named(self, kind: Any, name: str) -> Any:
        """The one managed object of that type and name."""
        (found,) = [one for one in self.all_of(kind) if one.name == name]
        return found

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names of the hosts, in order."""
        return tuple(sorted(host.name for host in self.all_of(vim.HostSystem)))

    def host(self, name: str) -> Any:
        """A host's managed object."""
        return self.named(vim.HostSystem, name)

    def vm(self, moid: str) -> Any:
        """A VM's managed object."""
        return vim.VirtualMachine(moid, self.connection()._stub)

    # ------------------------------------------------------------ what the playbook says

    def module_site(self, **changes: Any) -> dict[str, Any]:
        """The option ``site`` of every module."""
        vsphere = {"hostname": ADDRESS, "port": self.port, "username": USERNAME, "password": PASSWORD, "ca_path": str(self.authority.certificate)}
        return {"driver": "vsphere", "vsphere": {**vsphere, **changes}}

    def site_options(self, **changes: Any) -> SiteOptions:
        """The same as data model; ``changes`` are fields of ``site.vsphere``."""
        return decode(SiteOptions, self.module_site(**changes), "site")

    # ------------------------------------------------------------ making

    def make_datastores(self) -> None:
        """Where the server has none of its own: one that all hosts mount, and ``local-<host>`` of each alone; 100 GiB each."""
        hosts = [] if self.all_of(vim.Datastore) else list(self.hosts)
        if hosts and self._shared:
            self.add_datastore(self._shared, hosts)
        for name in hosts:
            self.add_datastore(f"local-{name}", [name])

    def add_datastore(self, name: str, hosts: list[str], *, capacity_gib: int = 100, free_gib: int = 100, folder: str = "") -> None:
        """A datastore that these hosts mount. ``folder`` makes it another one than that of the same name in another datacenter."""
        self.control("datastores", name=name, hosts=hosts, capacity_gib=capacity_gib, free_gib=free_gib, folder=folder)

    def change_datastore(
        self, name: str, hosts: list[str], *, lost_on: tuple[str, ...] = (), read_only_on: tuple[str, ...] = (), maintenance: str = "normal"
    ) -> None:
        """How the hosts reach a datastore from now on, and what vCenter says of it."""
        told = {"lost_on": lost_on, "read_only_on": read_only_on, "maintenance": maintenance}
        self.control("datastores", name=name, hosts=hosts, capacity_gib=100, free_gib=100, **told)

    def add_vm(
        self,
        name: str,
        host: str,
        *,
        pools: tuple[str, ...] = ("shared",),
        memory_mib: int = 64,
        powered_on: bool = True,
        disk_gib: int = 1,
        network: str = "VM Network",
        thin: bool = True,
    ) -> str:
        """A VM with one disk in each of the pools, its files in the first; gives its managed object id."""
        placed = self.host(host)
        compute = placed.parent
        datacenter = self._datacenter_of(placed)
        self._made += 1
        folder = file_stem(name) if self._made == 1 else f"{file_stem(name)}_{self._made}"
        for pool in sorted(set(pools)):
            self.content.fileManager.MakeDirectory(f"[{pool}] {folder}", datacenter, createParentDirectories=True)
        task = datacenter.vmFolder.CreateVM_Task(vm_spec(name, folder, pools, memory_mib, disk_gib, network, thin), compute.resourcePool, placed)
        vm = self.wait(task)
        if powered_on:
            self.wait(vm.PowerOnVM_Task(placed))
        return str(vm._moId)

    def files(self, pool: str) -> frozenset[str]:
        """The names of all disks and media in a datastore, with the folders that they are in where that is not the datastore's own."""
        store = self.named(vim.Datastore, pool)
        browser = vim.host.DatastoreBrowser
        kinds = [browser.VmDiskQuery(), browser.IsoImageQuery()]
        found = self.wait(store.browser.SearchDatastoreSubFolders_Task(f"[{pool}]", browser.SearchSpec(query=kinds, matchPattern=["*"])))
        return frozenset(f"{part.folderPath}/{file.path}".partition("]")[2].lstrip(" /") for part in found for file in part.file or ())

    def add_file(self, name: str, pool: str, *, size_gib: int = 1) -> None:
        """A disk, or by its name a medium, that belongs to no VM."""
        datacenter = self._datacenter_of(self.named(vim.Datastore, pool))
        if name.endswith(".vmdk"):
            spec = vim.VirtualDiskManager.FileBackedVirtualDiskSpec(diskType="thin", adapterType="lsiLogic", capacityKb=size_gib * 2**20)
            self.wait(self.content.virtualDiskManager.CreateVirtualDisk_Task(f"[{pool}] {name}", datacenter, spec))
            return
        request = urllib.request.Request(f"{self._control}/files?pool={pool}&name={name}", data=b"medium")  # noqa: S310 (loopback)
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310

    def wait(self, task: Any) -> Any:
        """The result of a task; raises its fault."""
        collector = self.content.propertyCollector
        wanted = vim.PropertyCollector
        spec = wanted.FilterSpec(
            objectSet=[wanted.ObjectSpec(obj=task)], propSet=[wanted.PropertySpec(type=vim.Task, pathSet=["info.state"])], reportMissingObjectsInResults=False
        )
        watch = collector.CreatePropertyCollector()
        try:
            watch.CreateFilter(spec, partialUpdates=True)
            version, state = "", ""
            while state not in ("success", "error"):
                changes = watch.WaitForUpdatesEx(version, wanted.WaitOptions(maxWaitSeconds=10))
                if changes is not None:
                    version, state = changes.version, changes.filterSet[0].objectSet[0].changeSet[0].val
        finally:
            watch.Destroy()
        if state == "error":
            raise task.info.error
        return task.info.result

    @staticmethod
    def _datacenter_of(entity: Any) -> Any:
        while not isinstance(entity, vim.Datacenter):
            entity = entity.parent
        return entity

    # ------------------------------------------------------------ what may happen

    def control(self, path: str, **data: Any) -> Any:
        """Ask the server for something that no API has: faults, times, datastores."""
        request = urllib.request.Request(f"{self._control}/{path}", data=json.dumps(data).encode() if data else None)  # noqa: S310 (loopback)
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def calls(self) -> int:
        """How many calls the server has answered."""
        return int(self.control("calls")["calls"])

    def settings(self, **data: Any) -> None:
        """Times and faults; see ``server/main.go``."""
        self.control("settings", **data)
