# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of all tests: how much hypothesis tries, which part of the long matrices is run, and that a required lab is never skipped."""

from __future__ import annotations

import os
import zlib
from collections import defaultdict
from collections.abc import Generator

import hypothesis
import pytest

from tests import matrix

# Times on a busy machine say nothing, so no example has a deadline.
hypothesis.settings.register_profile("project", deadline=None, derandomize=os.environ.get("CI") == "true")
hypothesis.settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --lab-required, which the environment variable VMOPS_LAB_REQUIRED=1 stands for too."""
    parser.addoption("--lab-required", action="store_true", default=os.environ.get("VMOPS_LAB_REQUIRED") == "1", help="a lab test that is skipped fails")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other cases of the tests that are marked ``matrix``. A test that is named by itself on the command line is run with all of its cases."""
    if matrix.IS_WHOLE or any("::" in argument for argument in config.args):
        return
    cases: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("matrix"):
            cases[item.nodeid.partition("[")[0]].append(item)
    left_out = {item for found in cases.values() for item in found[1:] if zlib.crc32(item.nodeid.encode()) % matrix.PART}
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=sorted(left_out, key=lambda item: item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a lab test into a failure where the lab is required."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("kvm") and item.config.getoption("--lab-required"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"The lab is required here, but the test was skipped: {reason}"
    return report
