#!/bin/sh
# Installs the locked versions into .venv, then does what is asked. Needs Python 3.11 or newer.
#
#   ./run.sh serve [ARG…]   start the service (--workers N: with so many processes)
#   ./run.sh test [ARG…]    run the tests, with pytest's arguments if any
#   ./run.sh install        only install, all that development needs
#   ./run.sh storage …      look after the storage; so do export and import (see --help)
set -eu
cd "$(dirname "$0")"

usable() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

make_environment() {
    if .venv/bin/python -m pip --version >/dev/null 2>&1; then
        return
    fi
    for python in "${PYTHON:-python3}" python3.15 python3.14 python3.13 python3.12 python3.11; do
        if usable "$python"; then
            "$python" -m venv --clear .venv
            return
        fi
    done
    echo "Python 3.11 or newer with venv is needed (on Debian: apt install python3-venv)." >&2
    echo "If it has another name, set PYTHON to it." >&2
    exit 1
}

# Installs requirements/$1.txt, unless that very file was installed before.
install() {
    make_environment
    if ! cmp -s "requirements/$1.txt" ".venv/installed-$1.txt"; then
        echo "Installing requirements/$1.txt into .venv" >&2
        .venv/bin/python -m pip install --quiet --disable-pip-version-check \
            --no-deps --require-hashes --requirement "requirements/$1.txt"
        cp "requirements/$1.txt" ".venv/installed-$1.txt"
    fi
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
    serve)
        install serve
        exec .venv/bin/python -m myapp serve "$@"
        ;;
    test)
        install dev
        exec .venv/bin/python -m pytest "$@"
        ;;
    install)
        install dev
        ;;
    storage | export | import)
        install serve
        exec .venv/bin/python -m myapp "$command" "$@"
        ;;
    *)
        sed -n '/^#   /s/^#   //p' "$0" >&2
        exit 2
        ;;
esac
