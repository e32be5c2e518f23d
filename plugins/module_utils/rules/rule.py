# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rule is: a question about one VM, or about one VM on one candidate host, and how each profile takes its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ..model.host import Host
from ..model.intent import Intent
from ..model.site import Site
from ..model.vm import Vm
from .planned import PlannedSite


class Profile(StrEnum):
    """Named sets of rules. ``generic`` holds only what is physically or technically so; the others are those of the source products."""

    GENERIC = "generic"
    CLOUDSTACK_KVM = "cloudstack_kvm"
    CLOUDSTACK_VMWARE = "cloudstack_vmware"
    CLOUDSTACK_HYPERV = "cloudstack_hyperv"
    PCD = "pcd"
    CAS = "cas"


class Level(StrEnum):
    """How a profile takes a rule: it forbids; it warns or waits for a consent; it is not asked."""

    HARD = "hard"
    SOFT = "soft"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Setting:
    """A cell of the rulebook. ``consent`` (only for soft) is the option that turns the refusal into a warning; without one it only warns.

    ``parameters`` are keyword arguments of the rule's function.
    """

    level: Level
    consent: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has to say against a move. With ``unknown`` set it could not judge: that is the path of the fact it lacks."""

    message: str
    hint: str = ""
    unknown: str = ""


LIVE_BY_HOST = Intent()
"""What is meant where nobody says what is asked for."""

Findings = tuple[Finding, ...]
NOTHING: Findings = ()


def lacks(fact: str) -> Findings:
    """The answer of a rule that cannot judge for want of a fact; ``fact`` is its path, such as ``site.hosts.kvm1.memory_mib``."""
    return (Finding("", unknown=fact),)


@dataclass(frozen=True, slots=True)
class VmCase:
    """A question about one VM, wherever it might go. ``source`` is its present host, None where the site does not hold it."""

    site: Site
    vm: Vm
    source: Host | None


@dataclass(frozen=True, slots=True)
class Case:
    """A question about one VM on one candidate host, in the light of everything that is planned already; ``intent`` is what is asked for."""

    planned: PlannedSite
    vm: Vm
    host: Host
    source: Host | None
    intent: Intent = LIVE_BY_HOST


class About(StrEnum):
    """What a rule judges: the VM wherever it might go, the pair of VM and host whatever else is planned, or the pair in the light of other plans,
    one volume and the pool that it would go to, or what is asked for."""

    VM = "vm"
    PLACE = "place"
    PLANNED_STATE = "planned_state"
    VOLUME = "volume"
    OPTIONS = "options"


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the rulebook.

    ``name`` is unique in the rulebook and most often the reason code too; ``reason_code`` is set where several rules give the same one. ``check`` is the
    pure function (of VmCase where ``about`` is VM, of VolumeCase where it is VOLUME, else of Case) that finds what speaks against the
    move. ``facts`` are the facts that it reads (``vm.``, ``volume.``, ``intent.``,
    ``host.`` = the candidate, ``source.``, ``pool.``, ``site.``); ``numbers`` those of the catalogue. ``profiles`` holds the cells that differ from
    ``generic``.
    """

    name: str
    about: About
    check: Callable[..., Findings]
    generic: Setting
    facts: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    profiles: Mapping[Profile, Setting] = field(default_factory=dict)
    reason_code: str = ""

    @property
    def code(self) -> str:
        """The code of the reasons that it gives."""
        return self.reason_code or self.name

    def setting(self, profile: Profile) -> Setting:
        """The cell of that profile."""
        return self.profiles.get(profile, self.generic)
