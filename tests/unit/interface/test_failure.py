# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors as an operator sees them: one form, no traceback, no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.vmops.migration.plugins.module_utils.interface.failure import Failure, answer
from ansible_collections.vmops.migration.plugins.module_utils.interface.times import duration
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import DriverMissing, HostUnreachable, InputError


def ended(body: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verbosity: int = 0) -> dict[str, Any]:
    """What a module with that body answers; ``warned`` holds its warnings, which go other ways on newer cores when tests run in one process."""
    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text, **_more: warned.append(text))
    arguments = {"ANSIBLE_MODULE_ARGS": {"_ansible_remote_tmp": "/tmp", "_ansible_verbosity": verbosity, "name": "x"}}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(arguments).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    module = AnsibleModule(argument_spec={"name": {"type": "str"}, "secret": {"type": "str", "no_log": True}})
    with pytest.raises(SystemExit):
        answer(module, body)
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return {**result, "warned": warned}


def test_a_result_goes_out_with_its_warnings(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    result = ended(lambda _module: {"changed": True, "figure": 1, "warnings": ["fact_unknown: something"]}, capsys, monkeypatch)
    assert (result["changed"], result["figure"]) == (True, 1)
    assert result["warned"] == ["fact_unknown: something"]
    assert "failed" not in result


def test_an_error_has_message_code_and_hint(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def body(_module: AnsibleModule) -> dict[str, Any]:
        raise HostUnreachable("kvm1", "Host kvm1 does not answer: connection refused.", hint="Start libvirtd.")

    result = ended(body, capsys, monkeypatch, verbosity=4)
    assert result["failed"] is True
    assert result["changed"] is False
    assert result["msg"] == "Host kvm1 does not answer: connection refused. Start libvirtd."
    assert (result["code"], result["hint"]) == ("host_unreachable", "Start libvirtd.")
    assert "Traceback" not in json.dumps(result)
    assert "exception" not in result


def test_a_failure_carries_what_was_done(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def body(_module: AnsibleModule) -> dict[str, Any]:
        raise Failure("kvm1 is not empty.", code="vms_remaining", result={"changed": True, "remaining": [{"vm_name": "web", "reasons": []}], "warnings": ["w"]})

    result = ended(body, capsys, monkeypatch)
    assert (result["failed"], result["changed"], result["remaining"]) == (True, True, [{"vm_name": "web"}])
    assert result["warned"] == ["w"]


def test_a_missing_library_is_told_with_the_interpreter_that_lacks_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def body(_module: AnsibleModule) -> dict[str, Any]:
        raise DriverMissing("libvirt-python", "Traceback (most recent call last):\nImportError: libvirt.so.0: cannot open", hint="Install it.")

    result = ended(body, capsys, monkeypatch)
    assert "Failed to import the required Python library (libvirt-python)" in result["msg"]
    assert "Python" in result["msg"]
    assert result["code"] == "library_missing"
    assert result["detail"] == "ImportError: libvirt.so.0: cannot open"
    assert "Traceback" not in json.dumps(result)


@pytest.mark.parametrize("verbosity", [0, 4])
def test_the_unexpected_is_told_by_type_and_place(verbosity: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def body(_module: AnsibleModule) -> dict[str, Any]:
        return {"changed": duration("soon")}  # type: ignore[arg-type]

    result = ended(body, capsys, monkeypatch, verbosity)
    assert result["code"] == "internal_error"
    assert "TypeError at interface/times.py:" in result["msg"]
    assert "report" in result["hint"]
    assert "Traceback" not in json.dumps(result)


def test_passwords_of_uris_never_go_out(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def foreseen(_module: AnsibleModule) -> dict[str, Any]:
        raise InputError("site.hosts.kvm1.uri", "qemu+ssh://root:hunter2@kvm1/system is wrong.")

    def unforeseen(_module: AnsibleModule) -> dict[str, Any]:
        raise RuntimeError("cannot open qemu+ssh://root:hunter2@kvm1/system")

    for body in (foreseen, unforeseen):
        result = json.dumps(ended(body, capsys, monkeypatch))
        assert "hunter2" not in result
        assert "root:***@kvm1" in result


def test_an_expression_keeps_its_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def body(_module: AnsibleModule) -> dict[str, Any]:
        raise InputError("select", "it does not parse.\n  a b\n    ^", hint="See the page.")

    assert ended(body, capsys, monkeypatch)["msg"] == "select: it does not parse.\n  a b\n    ^\nSee the page."


def test_a_large_result_leaves_room_in_the_event(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [{"vm_name": f"vm-{n}", "why": "because " * 10} for n in range(20_000)]
    result = ended(lambda _module: {"changed": True, "migrations": entries}, capsys, monkeypatch)
    assert len(json.dumps(result)) < 700_000
    assert result["omitted"]["migrations"] + len(result["migrations"]) == 20_000
