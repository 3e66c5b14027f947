#!/usr/bin/env bash
# Runs the tests of networks and trainings with the newest torch that pip offers within the range of pyproject.toml, in
# a virtual environment of its own, which is removed at the end. Everything else is that of .venv.
# On Linux pip takes the build for CUDA: several gigabytes to download, and 9 GB of disk. TMPDIR says on which disk.
set -euo pipefail
cd "$(dirname "$0")/.."
INSTALL_SECONDS=${INSTALL_SECONDS:-3600} TEST_SECONDS=${TEST_SECONDS:-3600} GIGABYTES=9

refuse() { echo "newest torch: not tried, $1" >&2; exit 1; }

tested=$(.venv/bin/python -c 'import torch; print(torch.__version__.partition("+")[0])')
range=$(sed -n 's/^ *"torch\(>=[^"]*\)",$/\1/p' pyproject.toml)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=$folder/venv/bin/python
.venv/bin/python -m venv "$folder/venv"
newest=$("$python" -m pip install --quiet --dry-run --no-deps --report - "torch$range" |
    "$python" -c 'import json, sys; print(json.load(sys.stdin)["install"][0]["metadata"]["version"].partition("+")[0])') ||
    refuse "pip finds none in torch$range"
if [ "$newest" = "$tested" ]; then
    echo "newest torch: it is $tested, with which all tests run"
    exit
fi
free=$(df --output=avail -BG "$folder" | tail -1 | tr -dc 0-9)
[ "$free" -ge "$GIGABYTES" ] || refuse "torch $newest needs $GIGABYTES GB of disk, and $free GB are free"
timeout "$INSTALL_SECONDS" "$python" -m pip install --quiet --no-cache-dir "torch==$newest" ||
    refuse "torch $newest was not installed within INSTALL_SECONDS=$INSTALL_SECONDS"
# The packages of .venv, behind what was just installed; addsitedir also finds pix2pix, which is installed as editable.
packages=$(.venv/bin/python -c 'import site; print(site.getsitepackages()[0])')
echo "import site; site.addsitedir('$packages')" \
    >"$("$python" -c 'import site; print(site.getsitepackages()[0])')/tested.pth"

echo "newest torch: $("$python" -c 'import torch; print(torch.__version__)') instead of $tested"
code=0
timeout "$TEST_SECONDS" "$python" -m pytest -q -m "not slow" tests/models tests/training/test_module.py \
    tests/training/test_steps.py tests/training/test_resume.py tests/export "$@" || code=$?
[ "$code" -ne 124 ] || echo "newest torch: its tests took more than TEST_SECONDS=$TEST_SECONDS" >&2
exit "$code"
