# Shared by the scripts: makes .venv with pinned versions, once, and again when the pins change.
# Usage: . "$(dirname "$0")/lib.sh"; ensure_venv EXTRA   ("" or "test"). Sets ROOT.
# PYTHON names the interpreter to make it with; without PYTHON a .venv that is there is kept, whatever made it.

set -eu
ROOT=$(cd "$(dirname "$0")/.." && pwd -P)
ASKED=${PYTHON:-}
PYTHON=${PYTHON:-python3}

give_up() {
    echo "$1" >&2
    echo "$2" >&2
    exit 3
}

# base PYTHON: the installation behind an interpreter, the same for a virtualenv and for what it was made with.
base() {
    "$1" -c 'import sys; print(sys.base_prefix, *sys.version_info[:3])' 2>/dev/null
}

# Whether .venv runs, was made in this folder (a copy of the folder holds the original's paths), and with PYTHON.
venv_fits() {
    [ "$(cat "$venv/.made-in" 2>/dev/null)" = "$ROOT" ] && found=$(base "$venv/bin/python") || return 1
    [ -z "$ASKED" ] || [ "$found" = "$(base "$ASKED")" ]
}

make_venv() {
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        give_up "$PYTHON is not Python 3.11 or newer" "set PYTHON to one: PYTHON=/usr/bin/python3.12 $0"
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
        give_up "$PYTHON cannot make a virtualenv" "install its venv module (Debian: apt-get install python3-venv)"
    # What a link leads to is another folder's: it is not ours to empty.
    [ ! -L "$venv" ] || give_up "$venv is a link to the environment of another folder" "remove the link; run this again"
    "$PYTHON" -m venv --clear "$venv" >&2 ||
        give_up "cannot make $venv" "see the message above"
    printf '%s\n' "$ROOT" >"$venv/.made-in"
}

ensure_venv() {
    venv=$ROOT/.venv stamp=$ROOT/.venv/.installed-${1:-base}
    if venv_fits && [ "$stamp" -nt "$ROOT/pyproject.toml" ] && [ "$stamp" -nt "$ROOT/constraints.txt" ]; then
        return
    fi
    if ! mkdir -p "$venv" 2>/dev/null || ! (: >"$venv/.writable") 2>/dev/null; then
        give_up "cannot write to $venv" "copy the folder to a place where you may write, and run this there"
    fi
    venv_fits || make_venv
    echo "installing into .venv ..." >&2
    (cd "$ROOT" && PIP_CONSTRAINT=constraints.txt .venv/bin/python -m pip install --quiet \
        --disable-pip-version-check --editable ".${1:+[$1]}" >&2) ||
        give_up "pip could not install the packages named above" "if they could not be found, check the network; run this again"
    touch "$stamp"
}
