# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options ``select`` and ``order_by``: JMESPath expressions over the documented facts of one VM (``docs/facts.md``).

A typing error in an expression would silently select nothing, so unknown facts and functions are refused with their position.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..model.errors import DriverMissing, InputError
from ..model.vm import Vm
from .results import full

_INTERNAL = ("detailed", "note")
"""Fields of a VM that are this collection's own affair, and no facts for people."""

_FIRST_CHILD_ONLY = ("subexpression", "index_expression", "pipe", "projection", "value_projection", "filter_projection", "flatten", "slice")
"""Nodes of an expression whose first part looks at the VM itself; the others look at what the first has found."""


def facts_of(vm: Vm) -> dict[str, Any]:
    """The facts of one VM that an expression may use: every field with its value, and whether it is active and a system VM."""
    facts = {name: value for name, value in full(vm).items() if name not in _INTERNAL}
    return {**facts, "is_active": vm.is_active, "is_system": vm.is_system}


@functools.cache
def fact_names() -> tuple[str, ...]:
    """Names of all facts."""
    return (*(field.name for field in dataclasses.fields(Vm) if field.name not in _INTERNAL), "is_active", "is_system")


class Expression:
    """A compiled expression of one option."""

    def __init__(self, text: str, option: str) -> None:
        """Raises InputError with the position of what does not parse or is unknown; DriverMissing where jmespath is not installed."""
        self._text = text
        self._option = option
        self._compiled = _compiled(text, option)
        _check_names(self._compiled.parsed, text, option)

    def value(self, vm: Vm) -> Any:
        """What the expression gives for a VM. Raises InputError that names the VM where a function meets the wrong type."""
        import jmespath

        try:
            return self._compiled.search(facts_of(vm))
        except jmespath.exceptions.JMESPathError as error:
            raise InputError(self._option, f"{self._text!r} fails for VM {vm.name!r}: {error}.", code="expression_invalid", hint=_HINT) from None


class Selection:
    """Which VMs, and in which order of preference. Without expressions: all, in the order that they came in.

    What was decided of a VM once, stays: later looks at the site may hold only its light facts.
    """

    def __init__(self, select: str | None, order_by: str | None) -> None:
        """``order_by`` gives a number or a text per VM, sorted upwards; with ``-`` before it, downwards. Raises as ``Expression``."""
        for option, text in (("select", select), ("order_by", order_by)):
            if text is not None and not text.strip():
                raise InputError(option, "the expression is empty.", hint="Leave the option out to take all VMs.")
        self._select = Expression(select, "select") if select else None
        descending = bool(order_by) and str(order_by).lstrip().startswith("-")
        # A blank in place of the sign keeps the positions in messages right.
        self._order_by = Expression(str(order_by).replace("-", " ", 1) if descending else order_by, "order_by") if order_by else None
        self._descending = descending
        self._selected: dict[str, bool] = {}
        self._keys: dict[str, tuple[int, Any]] = {}

    def chosen(self, vms: Sequence[Vm]) -> tuple[Vm, ...]:
        """The selected VMs in order. Raises InputError where an expression fails, or gives what has no order."""
        found = [vm for vm in vms if self._is_selected(vm)]
        if self._order_by is None:
            return tuple(found)
        keys = {vm.id: self._key(vm) for vm in found}
        self._check_same_kind(found, keys)
        known = sorted((vm for vm in found if keys[vm.id][0]), key=lambda vm: keys[vm.id][1], reverse=self._descending)
        return (*known, *(vm for vm in found if not keys[vm.id][0]))

    def _is_selected(self, vm: Vm) -> bool:
        if self._select is None:
            return True
        if vm.id not in self._selected:
            if not vm.detailed:
                return True
            self._selected[vm.id] = bool(self._select.value(vm))
        return self._selected[vm.id]

    def _key(self, vm: Vm) -> tuple[int, Any]:
        """(1, value) where the VM has one, (0, None) where it has none: those come last."""
        if vm.id not in self._keys:
            if not vm.detailed or self._order_by is None:
                return (0, None)
            value = self._order_by.value(vm)
            if value is not None and not isinstance(value, int | float | str):
                text = f"it gives {type(value).__name__} for VM {vm.name!r}, which has no order."
                raise InputError("order_by", text, code="expression_invalid", hint="Give an expression that yields a number or a text, such as memory_mib.")
            self._keys[vm.id] = (0, None) if value is None else (1, value)
        return self._keys[vm.id]

    def _check_same_kind(self, vms: Sequence[Vm], keys: Mapping[str, tuple[int, Any]]) -> None:
        texts = next((vm.name for vm in vms if isinstance(keys[vm.id][1], str)), None)
        numbers = next((vm.name for vm in vms if keys[vm.id][0] and not isinstance(keys[vm.id][1], str)), None)
        if texts is not None and numbers is not None:
            text = f"it gives a number for VM {numbers!r} and a text for VM {texts!r}, which cannot be compared."
            raise InputError("order_by", text, code="expression_invalid", hint="Use to_string() or to_number().")


_HINT = "docs/facts.md of the collection lists the facts of a VM and their types."


def _compiled(text: str, option: str) -> Any:
    try:
        import jmespath
    except ImportError as error:
        raise DriverMissing("jmespath", str(error), hint=f"The option {option} needs it.") from None
    try:
        return jmespath.compile(text)
    except jmespath.exceptions.IncompleteExpressionError:
        raise _at(text, option, len(text), "it ends too early") from None
    except jmespath.exceptions.LexerError as error:
        raise _at(text, option, error.lexer_position, f"{error.message}") from None
    except jmespath.exceptions.ParseError as error:
        raise _at(text, option, error.lex_position, f"unexpected {error.token_value!r}" if error.token_value else "it ends too early") from None
    except jmespath.exceptions.JMESPathError as error:
        raise InputError(option, f"{text!r} is no JMESPath expression: {error}", code="expression_invalid", hint=_HINT) from None


def _at(text: str, option: str, position: int, problem: str) -> InputError:
    """An error at a position (from 0), with the expression and a mark below the place."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    message = f"the JMESPath expression does not parse at column {position + 1}: {problem}.\n  {shown}\n  {' ' * position}^"
    return InputError(option, message, code="expression_invalid", hint=_HINT)


def _check_names(tree: Mapping[str, Any], text: str, option: str) -> None:
    from jmespath.functions import Functions

    for name in _functions(tree):
        if name not in Functions.FUNCTION_TABLE:
            near = difflib.get_close_matches(name, Functions.FUNCTION_TABLE, 1)
            raise _unknown(text, option, name, f"there is no function {name}()", near)
    for name in _facts(tree):
        if name not in fact_names():
            raise _unknown(text, option, name, f"a VM has no fact {name!r}", difflib.get_close_matches(name, fact_names(), 1))


def _unknown(text: str, option: str, name: str, problem: str, near: Sequence[str]) -> InputError:
    position = max(0, text.find(name))
    guess = f" Did you mean {near[0]}?" if near else ""
    shown = "".join(character if character.isprintable() else " " for character in text)
    message = f"{problem} (column {position + 1}).{guess}\n  {shown}\n  {' ' * position}^"
    return InputError(option, message, code="expression_invalid", hint=_HINT)


def _facts(node: Mapping[str, Any]) -> Iterator[str]:
    """Names of the VM's own facts that an expression reads."""
    if node["type"] == "field":
        yield node["value"]
    elif node["type"] == "expref":
        return
    children = node["children"][:1] if node["type"] in _FIRST_CHILD_ONLY else node["children"]
    for child in children:
        if isinstance(child, Mapping):
            yield from _facts(child)


def _functions(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, Mapping):
            yield from _functions(child)
