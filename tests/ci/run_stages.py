# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the stages of one list one after the other, and ends with a table of minutes and results.

The list is a TOML file: a table for each stage with `command` (a line for bash, run in the checkout) and `says` (what it proves).
A failed stage makes the end fail; the stages after it run all the same. Names on the command line choose single stages.
A stage that ends with status 77 was skipped: it said why. With the environment variable CI=true that counts as a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

SKIPPED = 77


def run_stage(name: str, command: str) -> tuple[str, float]:
    """Run one stage with its output as it comes; return its result in a word and its seconds."""
    print(f"\n=== {name}: {command}", flush=True)
    start = time.monotonic()
    status = subprocess.run(["/usr/bin/env", "bash", "-c", command], check=False).returncode
    seconds = time.monotonic() - start
    if status == SKIPPED and os.environ.get("CI") != "true":
        return "skipped", seconds
    return ("passed" if status == 0 else f"FAILED ({status})"), seconds


def main(list_file: str, *chosen: str) -> int:
    """Run the stages of the list, or only the chosen ones; return the exit status."""
    stages = tomllib.loads(Path(list_file).read_text(encoding="utf-8"))
    if unknown := set(chosen) - set(stages):
        print(f"There is no stage {', '.join(sorted(unknown))} in {list_file}; there are: {', '.join(stages)}", file=sys.stderr)
        return 2
    results = {name: run_stage(name, stage["command"]) for name, stage in stages.items() if not chosen or name in chosen}
    print(f"\n{'stage':<22} {'minutes':>7}  {'result':<12} what it proves")
    for name, (result, seconds) in results.items():
        print(f"{name:<22} {seconds / 60:>7.2f}  {result:<12} {stages[name]['says']}")
    together = sum(seconds for result, seconds in results.values())
    print(f"{'together':<22} {together / 60:>7.2f}")
    return int(any(result.startswith("FAILED") for result, seconds in results.values()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
