# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options to requests: what is to move, where to, and what is refused before anything is planned."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.interface.arguments import evacuate_spec, migrate_spec
from ansible_collections.vmops.migration.plugins.module_utils.interface.ranges import check_numbers
from ansible_collections.vmops.migration.plugins.module_utils.interface.relocating import relocation_request
from ansible_collections.vmops.migration.plugins.module_utils.interface.requests import Drain, move_options
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import HostUnreachable, InputError, MigrationError, StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host, HostState, Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState, Vm

CLOSED = Maintenance(MaintenanceState.MAINTENANCE, by="anna@ops", why="new memory")
SITE = Site(
    hosts=(Host("kvm1"), Host("kvm2"), Host("kvm3"), Host("shut", maintenance=CLOSED), Host("dark", state=HostState.UNREACHABLE, state_reason="timed out")),
    vms=(
        Vm("1", "web", "kvm1", memory_mib=10),
        Vm("2", "db", "kvm1", memory_mib=20, power_state=PowerState.PAUSED),
        Vm("3", "old", "kvm1", power_state=PowerState.OFF),
        Vm("4", "app", "kvm2", memory_mib=5),
    ),
)
WEB, APP = SITE.vms[0], SITE.vms[3]


def defaults(spec: dict[str, Any], **given: Any) -> dict[str, Any]:
    """Options as AnsibleModule hands them over."""
    return {name: given.get(name, form.get("default")) for name, form in spec.items()}


def drain(*hosts: str, **given: Any) -> Drain:
    return Drain(defaults(evacuate_spec(), **given), hosts)


def wanted(**given: Any) -> Any:
    return relocation_request(defaults(migrate_spec(), vm="web", **given))


def test_options_left_out_give_the_defaults_of_the_model() -> None:
    assert move_options(defaults(evacuate_spec()), 0.0) == MoveOptions()
    assert move_options(defaults(migrate_spec()), 0.0) == MoveOptions()


def test_options_given_arrive() -> None:
    given = {"parallel": 3, "bandwidth_mib_s": 100, "max_downtime_ms": 50, "deadline": "1970-01-01T00:01:00Z", "retries": 0, "why": "test"}
    options = move_options(defaults(evacuate_spec(), **given), 0.0)
    assert (options.parallel, options.bandwidth_mib_s, options.max_downtime_ms, options.deadline, options.retries, options.why) == (3, 100, 50, 60.0, 0, "test")


@pytest.mark.parametrize(
    ("given", "caps"),
    [
        ({"speed": "fast"}, (0, 30)),
        ({"speed": "unlimited"}, (0, 0)),
        ({"bandwidth_mib_s": 10}, (10, 10)),
        ({"bandwidth_mib_s": 10, "speed": "medium"}, (10, 10)),
    ],
)
def test_a_speed_caps_the_disks_and_a_bandwidth_everything(given: dict[str, Any], caps: tuple[int, int]) -> None:
    options = move_options(defaults(migrate_spec(), **given), 0.0)
    assert (options.bandwidth_mib_s, options.copy_cap_mib_s) == caps


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("parallel", 0),
        ("parallel", -1),
        ("bandwidth_mib_s", 0),
        ("max_downtime_ms", -5),
        ("timeout_seconds", 0.0),
        ("timeout_seconds", float("inf")),
        ("timeout_seconds", float("nan")),
        ("stall_seconds", -1.0),
        ("retries", -1),
        ("retries", 10**9),
        ("claim_wait_seconds", -0.1),
        ("limit", 0),
    ],
)
def test_numbers_that_make_no_sense_are_refused_with_option_value_and_reason(name: str, value: float) -> None:
    with pytest.raises(InputError) as caught:
        check_numbers({name: value})
    assert caught.value.option == name
    assert f": {value:.0f} makes no sense" in caught.value.message or f": {value:g} makes no sense" in caught.value.message
    assert "must be" in caught.value.message


def test_sensible_numbers_pass() -> None:
    check_numbers({"parallel": 1, "retries": 0, "timeout_seconds": 1.0, "claim_wait_seconds": 0.0, "limit": None, "other": -1})


# ------------------------------------------------------------ a drain


def test_all_vms_that_hold_memory_leave_and_the_emptied_hosts_take_none() -> None:
    request = drain("kvm1", "kvm2")(SITE)
    assert request.vms == ("1", "2", "4")
    assert request.avoid_hosts == {"kvm1", "kvm2"}


def test_selection_and_order_apply_over_all_hosts() -> None:
    assert drain("kvm1", "kvm2", select="memory_mib < `15`", order_by="memory_mib")(SITE).vms == ("4", "1")


@pytest.mark.parametrize(
    ("targets", "kind", "code"),
    [(["kvm7"], InputError, "host_unknown"), (["dark"], HostUnreachable, "host_unreachable"), (["shut"], StateConflict, "target_closed")],
)
def test_a_named_target_must_exist_answer_and_be_open(targets: list[str], kind: type[MigrationError], code: str) -> None:
    with pytest.raises(kind) as caught:
        drain("kvm1", target_hosts=["kvm2", *targets])(SITE)
    assert caught.value.code == code
    assert "target_hosts" in caught.value.message
    assert targets[0] in caught.value.message


def test_who_closed_a_target_is_told() -> None:
    with pytest.raises(StateConflict, match="by anna@ops: new memory"):
        drain("kvm1", target_hosts=["shut"])(SITE)


def test_a_target_that_fails_in_the_middle_of_a_run_is_no_error() -> None:
    choose = drain("kvm1", target_hosts=["kvm2"])
    choose(SITE)
    later = Site(hosts=(Host("kvm1"), Host("kvm2", state=HostState.UNREACHABLE)), vms=(WEB,))
    assert choose(later).target_hosts == {"kvm2"}


def test_a_host_to_be_emptied_is_no_target() -> None:
    with pytest.raises(InputError, match=r"target_hosts\[1\]: 'kvm1' is one of the hosts to be emptied"):
        drain("kvm1", target_hosts=["kvm2", "kvm1"])


def test_a_consent_that_no_rule_asks_for_is_refused() -> None:
    with pytest.raises(InputError, match=r"consents\[0\]: 'allow_everything'") as caught:
        drain("kvm1", consents=["allow_everything"])
    assert caught.value.code == "consent_unknown"


# ------------------------------------------------------------ one VM


def test_a_named_target_is_the_only_one() -> None:
    request = wanted(target_host="kvm2")(SITE, WEB)
    assert request.target_hosts == {"kvm2"}
    assert request.vms == ("1",)


def test_a_vm_on_its_target_may_stay() -> None:
    assert wanted(target_host="kvm1")(SITE, WEB) is None


def test_a_vm_leaves_the_host_that_is_named() -> None:
    request = wanted(source_host="kvm1", avoid=["kvm3"])(SITE, WEB)
    assert request.target_hosts == frozenset()
    assert request.avoid_hosts == {"kvm1", "kvm3"}


@pytest.mark.parametrize("given", [{"source_host": "kvm1"}, {"avoid": ["kvm1", "kvm3"]}])
def test_a_vm_that_is_not_where_it_should_leave_may_stay(given: dict[str, Any]) -> None:
    assert wanted(**given)(SITE, APP) is None


@pytest.mark.rule("PCD-22", sign="-")
def test_where_a_target_has_to_be_named_none_is_chosen() -> None:
    with pytest.raises(InputError) as caught:
        wanted(source_host="kvm1", require_explicit_target=True)
    assert caught.value.message.startswith("target_host:")
    assert wanted(target_host="kvm2", require_explicit_target=True)(SITE, WEB) is not None
    assert wanted(target_pool="nfs-a", require_explicit_target=True)


def test_without_target_and_anything_to_leave_the_choices_are_named() -> None:
    with pytest.raises(InputError) as caught:
        wanted()
    assert caught.value.code == "no_target"
    assert all(option in caught.value.hint for option in ("target_host", "source_host", "avoid"))


@pytest.mark.parametrize("given", [{"source_host": "kvm2"}, {"avoid": ["kvm2"]}])
def test_a_target_that_is_to_be_left_is_a_contradiction(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="target_host: 'kvm2' is also to be left"):
        wanted(target_host="kvm2", **given)


def test_a_vm_on_neither_of_two_named_hosts_is_an_error() -> None:
    with pytest.raises(StateConflict) as caught:
        wanted(source_host="kvm3", target_host="kvm2")(SITE, WEB)
    assert caught.value.code == "vm_elsewhere"
    assert "kvm1" in caught.value.message


@pytest.mark.parametrize("given", [{"target_host": "kvm7"}, {"source_host": "kvm7"}, {"avoid": ["kvm1", "kvm7"]}])
def test_an_unknown_host_is_named_with_its_option(given: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        wanted(**given)(SITE, WEB)
    assert (caught.value.code, caught.value.option) == ("host_unknown", next(iter(given)))


@pytest.mark.parametrize(("target", "code"), [("shut", "target_closed"), ("dark", "host_unreachable")])
def test_a_target_that_is_closed_or_does_not_answer_is_an_error(target: str, code: str) -> None:
    with pytest.raises(MigrationError) as caught:
        wanted(target_host=target)(SITE, WEB)
    assert caught.value.code == code
