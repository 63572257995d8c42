#!/bin/sh
# Make the virtual environment .venv with dockwright and its tools in it; does nothing when it is up to date.
set -eu
stamp=.venv/.installed

# As an installation does it; else each start of an editable one may compile what it imports.
compile_all() {
    .venv/bin/python -m compileall -q -x '/\.' .
}

if [ -e "$stamp" ] && [ "$stamp" -nt pyproject.toml ]; then
    compile_all
    exit 0
fi

python=""
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "dockwright needs Python 3.11 or newer; install it (on Debian: apt-get install python3) and run this again" >&2
    exit 1
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing python3-venv"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            -o DPkg::Lock::Timeout=300 python3-venv >/dev/null
    else
        echo "$python cannot make virtual environments; install python3-venv and run this again" >&2
        exit 1
    fi
fi

echo "making .venv with $("$python" --version)"
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
compile_all
touch "$stamp"
