# Shared by the scripts: makes .venv with pinned versions, once, and again when the pins change.
# Usage: . "$(dirname "$0")/lib.sh"; ensure_venv EXTRA   ("" or "test"). Sets ROOT.

set -eu
ROOT=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=${PYTHON:-python3}

give_up() {
    echo "$1" >&2
    exit 3
}

ensure_venv() {
    venv=$ROOT/.venv stamp=$ROOT/.venv/.installed-${1:-base}
    if [ -e "$stamp" ] && [ "$stamp" -nt "$ROOT/pyproject.toml" ] && [ "$stamp" -nt "$ROOT/constraints.txt" ]; then
        return
    fi
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        give_up "hermes-diag needs Python 3.11 or newer: set PYTHON to one"
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        "$PYTHON" -m venv --clear "$venv" ||
            give_up "cannot make a virtualenv: install the venv module (Debian: apt-get install python3-venv)"
    fi
    echo "installing into .venv ..." >&2
    (cd "$ROOT" && PIP_CONSTRAINT=constraints.txt .venv/bin/python -m pip install --quiet \
        --disable-pip-version-check --editable ".${1:+[$1]}" >&2) ||
        give_up "pip could not install the packages named above: check the network and run this again"
    touch "$stamp"
}
