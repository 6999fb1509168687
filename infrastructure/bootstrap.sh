#!/bin/sh
# Do what a target of the Makefile says, on a machine that has nothing but Python 3.11 or newer.
#
# usage: sh infrastructure/bootstrap.sh run|test|check|... [arguments]
#
# It finds the Python; bootstrap.py beside it does the rest. PYTHON=/path/to/python chooses another one.
set -eu

cd "$(dirname "$0")/.."

good_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if [ -n "${PYTHON:-}" ]; then
    good_enough "$PYTHON" || {
        echo "carillon: PYTHON=$PYTHON is no Python 3.11 or newer" >&2
        exit 1
    }
else
    for candidate in .venv/bin/python python3 python3.13 python3.12 python3.11 python3.14 python; do
        if good_enough "$candidate"; then
            PYTHON=$candidate
            break
        fi
    done
    [ -n "${PYTHON:-}" ] || {
        found=$(python3 --version 2>/dev/null || echo "no Python")
        echo "carillon: needs Python 3.11 or newer, and this machine has $found: install one, or name it with PYTHON=/path/to/python3" >&2
        exit 1
    }
fi

# A process of ours starts in less than half the time when what Python compiled is kept, and a target starts dozens. It is
# kept in a folder of the environment's own, so also where a container wants none beside the sources.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="$PWD/.venv/bytecode"

exec "$PYTHON" -B infrastructure/bootstrap.py "$@"
