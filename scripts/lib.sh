# Shared by the scripts: makes .venv with pinned versions, once, and again when the pins change.
# Usage: . scripts/lib.sh; ensure_venv EXTRA   ("" or "test")

set -eu
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}

ensure_venv() {
    stamp=.venv/.installed-${1:-base}
    if [ -e "$stamp" ] && [ "$stamp" -nt pyproject.toml ] && [ "$stamp" -nt constraints.txt ]; then
        return
    fi
    if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "hermes-diag needs Python 3.11 or newer; set PYTHON to one" >&2
        exit 3
    fi
    if [ ! -x .venv/bin/python ] && ! "$PYTHON" -m venv .venv; then
        echo "cannot make a virtualenv: install the venv module (Debian: apt-get install python3-venv)" >&2
        exit 3
    fi
    echo "installing into .venv ..." >&2
    PIP_CONSTRAINT=constraints.txt .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --editable ".${1:+[$1]}" >&2
    touch "$stamp"
}
