# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m tests.mutation``: fails and lists the survivors where a mutant of the rulebook passes all tests of its own row."""

from __future__ import annotations

import argparse
import sys

import pytest

from tests.mutation.mutants import mutants
from tests.mutation.session import FOLDERS, MutationSession


def main() -> int:
    """Run it; 0 only if every mutant was noticed and every test passes without one."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="try only each Nth mutant, always the same ones")
    parser.add_argument("--rule", default="", help="try only the mutants of that row")
    options = parser.parse_args()
    chosen = tuple(mutant for mutant in mutants() if options.rule in ("", mutant.rule.name))[:: options.every]
    session = MutationSession(chosen)
    status = pytest.main(["-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-p", "no:xdist", *FOLDERS], plugins=[session])
    verdict = session.verdict
    for test in verdict.broken:
        print(f"fails without any mutant: {test}")
    for mutant, own in verdict.survivors:
        print(f"survives: {mutant.rule.name}: {mutant.says} ({own} tests of its own)")
    print(f"{verdict.tried} mutants, {len(verdict.survivors)} survivors")
    failed = bool(verdict.broken or verdict.survivors) or verdict.tried != len(chosen) or status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
