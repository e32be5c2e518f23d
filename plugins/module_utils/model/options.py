# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ``site`` option of every module: how to reach the hypervisors, and the overlay of facts that they cannot know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .pool import PoolScope
from .site import Limits
from .vm import AffinityKind, VmKind, VmPolicy


@dataclass(frozen=True, slots=True)
class HostOptions:
    """One host of the option ``site.hosts``: how to reach it, and facts that override what the hypervisor says.

    ``uri`` is how the controller reaches it, ``peer_uri`` how other hosts do. ``memory_mib`` is what VMs may use there, if less than the machine has.
    """

    uri: str = ""
    peer_uri: str = ""
    migration_address: str | None = None
    migration_link_mbps: int | None = None
    management_link_mbps: int | None = None
    cluster: str | None = None
    pod: str | None = None
    zone: str | None = None
    tags: frozenset[str] = frozenset()
    os_name: str | None = None
    os_version: str | None = None
    memory_mib: int | None = None
    reserved_memory_mib: int | None = None
    max_vms: int | None = None
    cpu_features: frozenset[str] | None = None
    networks: tuple[str, ...] | None = None
    max_hardware_version: int | None = None
    has_vmotion: bool | None = None
    restart_pending: bool | None = None
    storage_link_mbps: int | None = None
    hugepage_kib: int | None = None


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """One pool of ``site.pools``, by its name (or its id, ``host/name``)."""

    tags: frozenset[str] = frozenset()
    scope: PoolScope | None = None
    cluster: str | None = None
    pod: str | None = None
    zone: str | None = None
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class VmAffinity:
    """A VM's membership in an affinity group. Every VM that names the same group is in it."""

    group: str
    kind: AffinityKind = AffinityKind.ANTI_AFFINITY
    required: bool = True


@dataclass(frozen=True, slots=True)
class VmOptions:
    """One VM of ``site.vms``, by its name or id."""

    affinity: tuple[VmAffinity, ...] = ()
    policy: VmPolicy | None = None
    kind: VmKind | None = None
    labels: frozenset[str] = frozenset()
    required_host_tags: frozenset[str] = frozenset()
    dirty_rate_mib_s: float | None = None
    working_set_mib: int | None = None
    managed_by: str | None = None
    hardware_version: int | None = None
    hugepage_kib: int | None = None


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """One shared uplink of ``site.links``."""

    hosts: tuple[str, ...]
    bandwidth_mbps: int


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """Only for ``driver: simulator``. ``speed`` is how many simulated seconds pass in a real one; ``state_file`` keeps the world's state
    between runs (default: ``<world>.state.json``). ``faults`` is documented in docs/simulator.md.
    """

    world: str = ""
    state_file: str = ""
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class VsphereOptions:
    """Only for ``driver: vsphere``: the vCenter server, or a single ESXi host, that is asked. ``ca_path`` is a file of trusted certificates (PEM); empty: the
    system's. ``read_tags``: vCenter's tags are read too. The password shows in no text that is made of this.
    """

    hostname: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    port: int = 443
    validate_certs: bool = True
    ca_path: str = ""
    read_tags: bool = False


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """The whole ``site`` option."""

    driver: str
    profile: str = "generic"
    hosts: Mapping[str, HostOptions] = field(default_factory=dict)
    pools: Mapping[str, PoolOptions] = field(default_factory=dict)
    vms: Mapping[str, VmOptions] = field(default_factory=dict)
    links: Mapping[str, LinkOptions] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    overlay_file: str = ""
    simulator: SimulatorOptions = SimulatorOptions()
    vsphere: VsphereOptions = VsphereOptions()
    connect_timeout_seconds: float = 15.0
