# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""select and order_by: JMESPath over the facts of one VM, with every typing error named by its position."""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.interface.selection import Selection, fact_names, facts_of
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import DriverMissing, InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Home
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import OperationKind, Vm, VmPolicy

VMS = (
    Vm("1", "db", "kvm1", memory_mib=8192, dirty_rate_mib_s=90.0, volumes=(Volume("v", VolumeKind.DATA),)),
    Vm("2", "web", "kvm1", memory_mib=2048, labels=frozenset({"moveable"}), dirty_rate_mib_s=5.0),
    Vm("3", "app", "kvm1", memory_mib=4096, policy=VmPolicy(priority=7)),
)


def names(select: str | None = None, order_by: str | None = None) -> list[str]:
    return [vm.name for vm in Selection(select, order_by).chosen(VMS)]


def refused(select: str | None = None, order_by: str | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        Selection(select, order_by).chosen(VMS)
    return caught.value


@pytest.mark.parametrize(
    ("select", "found"),
    [
        (None, ["db", "web", "app"]),
        ("memory_mib <= `4096`", ["web", "app"]),
        ("contains(labels, 'moveable')", ["web"]),
        ("length(volumes[?kind == 'data']) == `0`", ["web", "app"]),
        ("policy.priority > `5`", ["app"]),
        ("name == 'db' || starts_with(name, 'a')", ["db", "app"]),
        ("is_system", []),
        ("volumes", ["db"]),
        ("dirty_rate_mib_s", ["db", "web"]),
    ],
)
def test_vms_are_selected_for_which_the_expression_is_true(select: str, found: list[str]) -> None:
    assert names(select) == found


@pytest.mark.parametrize(
    ("order_by", "found"),
    [
        ("memory_mib", ["web", "app", "db"]),
        ("-memory_mib", ["db", "app", "web"]),
        (" - name", ["web", "db", "app"]),
        ("dirty_rate_mib_s", ["web", "db", "app"]),
        ("-dirty_rate_mib_s", ["db", "web", "app"]),
    ],
)
def test_vms_are_ordered_and_those_without_a_value_come_last(order_by: str, found: list[str]) -> None:
    assert names(None, order_by) == found


@pytest.mark.parametrize(
    ("select", "column"),
    [("memory_mib > > 5", 14), ("memory_mib ++ 1", 12), ("memory_mib ==", 14), ("labels[?x", 10), ("'abc", 1), ("name.", 6), ("contains(", 10)],
)
def test_what_does_not_parse_is_shown_with_its_position(select: str, column: int) -> None:
    error = refused(select)
    assert error.option == "select"
    assert f"at column {column}:" in error.message
    _first, shown, mark = error.message.split("\n")
    assert shown == f"  {select}"
    assert mark.index("^") - 2 == column - 1


def test_an_expression_of_blanks_does_not_parse() -> None:
    assert refused("   ").option == "select"


def test_an_unknown_fact_is_refused_with_a_guess_and_its_position() -> None:
    error = refused("is_active && memory_mbi > `5`")
    assert "no fact 'memory_mbi' (column 14)" in error.message
    assert "Did you mean memory_mib?" in error.message


@pytest.mark.parametrize("expression", ["volumes[?kinds == 'data']", "policy.prio", "volumes[*].nothing", "nics | [0].speed", "sort_by(volumes, &size)[0]"])
def test_only_the_vms_own_facts_are_checked_by_name(expression: str) -> None:
    Selection(expression, None)


@pytest.mark.parametrize("expression", ["labelz[0]", "contains(labelz, 'x')", "!labelz", "[labelz]", "{a: labelz}", "(labelz)[?a]", "labelz | [0]"])
def test_an_unknown_fact_is_found_wherever_it_stands(expression: str) -> None:
    assert "no fact 'labelz'" in refused(expression).message


def test_an_unknown_function_is_refused_even_where_no_vm_is_asked() -> None:
    with pytest.raises(InputError, match=r"there is no function containz\(\).*Did you mean contains") as caught:
        Selection("containz(labels, 'x')", None).chosen(())
    assert caught.value.option == "select"


@pytest.mark.parametrize("expression", ["contains(memory_mib, 'x')", "length(memory_mib)", "contains(labels)"])
def test_a_function_that_meets_the_wrong_type_is_named_with_the_vm(expression: str) -> None:
    assert "fails for VM 'db'" in refused(expression).message


@pytest.mark.parametrize("order_by", ["labels", "policy", "volumes[*].id"])
def test_what_has_no_order_is_refused(order_by: str) -> None:
    error = refused(order_by=order_by)
    assert error.option == "order_by"
    assert "has no order" in error.message


def test_numbers_and_texts_are_not_compared() -> None:
    error = refused(order_by="not_null(dirty_rate_mib_s, name)")
    assert "cannot be compared" in error.message


def test_positions_of_a_descending_order_count_the_sign() -> None:
    assert "(column 2)" in refused(order_by="-memory").message


def test_what_was_decided_of_a_vm_stays_when_only_its_light_facts_are_read() -> None:
    selection = Selection("length(volumes) == `0`", None)
    selection.chosen(VMS)
    light = [Vm("1", "db", "kvm1", detailed=False), Vm("2", "web", "kvm1", detailed=False), Vm("9", "new", "kvm1", detailed=False)]
    assert [vm.name for vm in selection.chosen(light)] == ["web", "new"]


def test_jmespath_is_missed_only_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "jmespath":
            raise ImportError("No module named 'jmespath'")
        return honest(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert [vm.name for vm in Selection(None, None).chosen(VMS)] == ["db", "web", "app"]
    with pytest.raises(DriverMissing) as caught:
        Selection("name", None)
    assert caught.value.library == "jmespath"


# ------------------------------------------------------------ docs/facts.md

PAGE = (Path(__file__).parents[3] / "docs/facts.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \|", re.MULTILINE)
TYPES = {
    "text": str,
    "whole number": int,
    "number": int | float,
    "true or false": bool,
    "list of texts": list,
    "list of mappings": list,
    "mapping": dict,
}
KNOWN = {
    "architecture": "x86_64",
    "machine_type": "q35",
    "cpu_model": "m",
    "required_cpu_features": frozenset(),
    "dirty_rate_mib_s": 1.5,
    "working_set_mib": 3,
    "hugepage_kib": 0,
    "hardware_version": 14,
}


def test_every_fact_is_documented_in_order_and_nothing_else() -> None:
    assert [name for name, _kind in ROW.findall(PAGE)] == list(fact_names())


def test_the_documented_types_are_those_of_the_facts() -> None:
    bare, full = facts_of(Vm("1", "a", "h")), facts_of(Vm("1", "a", "h", operation=OperationKind.BACKUP, home=Home("h"), **KNOWN))
    for name, kind in ROW.findall(PAGE):
        form, may_be_null = kind.strip().removesuffix(" or null"), kind.strip().endswith(" or null")
        assert isinstance(full[name], TYPES[form]), name
        assert (bare[name] is None) == may_be_null, name


def test_the_expressions_of_the_page_work() -> None:
    expressions = re.findall(r'^(select|order_by): "?([^"\n]+?)"?(?: +#.*)?$', PAGE, re.MULTILINE)
    assert len(expressions) == 6
    for option, expression in expressions:
        Selection(**{"select": None, "order_by": None, option: expression}).chosen(VMS)
