#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs ansible-test sanity on a copy of the checkout: sanity.sh main|core-2.16|core-newest
# A copy, because ansible-test wants its own folder names and follows no symlink. The copy keeps ansible-test's environments between runs.
set -euo pipefail
environment=$PWD/$(tests/ci/core_environment.sh "$1")
version=$("$environment/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$environment/bin/ansible" --version | sed -n 1p
copy=$PWD/build/sanity/$1/ansible_collections/vmops/migration
mkdir -p "$copy"
find "$copy" -mindepth 1 -maxdepth 1 -not -name .git -not -name tests -exec rm -rf {} +
[ ! -d "$copy/tests" ] || find "$copy/tests" -mindepth 1 -maxdepth 1 -not -name output -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    if [ -e "$file" ] || [ -L "$file" ]; then printf '%s\0' "$file"; fi
done | tar --create --null --files-from - | tar --extract --directory "$copy"

# ansible-test fetches pip's installer from one host of its own. Where that host cannot be reached, pip's wheel does the same work.
export HOME=$PWD/build/sanity/home-$1
internals=$("$environment/bin/python" -c 'import ansible_test, pathlib; print(pathlib.Path(ansible_test.__file__).parent / "_internal")')
pip_version=$(grep --after-context=3 'default_packages = dict' "$internals/python_requirements.py" | sed -n "s/.*pip='\([0-9.]*\)'.*/\1/p")
cached=$HOME/.ansible/test/cache/get_pip_${pip_version//./_}.py
if ! [ -e "$cached" ] && ! "$environment/bin/python" - "$pip_version" <<'PYTHON' 2>/dev/null
import sys
import urllib.request

urllib.request.urlopen(f"https://ci-files.testing.ansible.com/ansible-test/get-pip-{sys.argv[1]}.py", timeout=10).close()
PYTHON
then
    mkdir -p "$(dirname "$cached")"
    "$environment/bin/python" -m pip download --quiet --quiet --disable-pip-version-check --no-deps --dest "$HOME" "pip==$pip_version"
    cat >"$cached" <<PYTHON
import sys

sys.path.insert(0, "$HOME/pip-$pip_version-py3-none-any.whl")
from pip._internal.cli.main import main

sys.exit(main(["install", *(option for option in sys.argv[1:] if option not in ("--no-setuptools", "--no-wheel"))]))
PYTHON
fi

cd "$copy"
if ls tests/sanity/ignore-*.txt >/dev/null 2>&1; then
    echo "tests/sanity/ignore-*.txt: the sanity tests are to pass without ignore entries." >&2
    exit 1
fi
[ -d .git ] || git init --quiet
git add --all
"$environment/bin/python" "$environment/bin/ansible-test" sanity --venv --python "$version" --color no 2>&1 | grep --line-buffered -vE "^(Collecting|Installing|Using cached|Successfully| +(Downloading|Using|━))"
