#!/bin/sh
# Checks style, types, dead code, security, layers and the lock; changes nothing unless told.
#
#   ./lint.sh            check everything
#   ./lint.sh -f         first fix what can be fixed
#   ./lint.sh -d DIR     limit what looks at single files to a folder
set -eu
cd "$(dirname "$0")"
./run.sh install
PATH="$PWD/.venv/bin:$PATH"

fix=
folders="myapp tests benchmarks"
while getopts fd: option; do
    case $option in
        f) fix=yes ;;
        d) folders=$OPTARG ;;
        *) sed -n '/^#   /s/^#   //p' "$0" >&2; exit 2 ;;
    esac
done

export_requirements() {
    poetry export --quiet --only main --output "$1/serve.txt"
    poetry export --quiet --only main --extras tracing --output "$1/serve-tracing.txt"
    poetry export --quiet --with dev --all-extras --output "$1/dev.txt"
    poetry export --quiet --with dev,evidence --all-extras --output "$1/evidence.txt"
}

# $folders is a list of words.
# shellcheck disable=SC2086
if [ "$fix" ]; then
    isort --quiet $folders
    black --quiet $folders
    export_requirements requirements
fi

failed=
check() {
    "$@" || failed="$failed $1"
}

requirements_are_current() {
    fresh=$(mktemp -d)
    export_requirements "$fresh"
    differ=
    diff -r requirements "$fresh" >&2 || differ=yes
    rm -r "$fresh"
    [ -z "$differ" ] || { echo "lint.sh -f exports them" >&2; return 1; }
}

# shellcheck disable=SC2086
{
    check isort --check-only --diff $folders
    check black --quiet --check --diff $folders
    check flake8 $folders
    check mypy $folders
    check bandit --quiet --configfile pyproject.toml --recursive $folders
}
check vulture
check lint-imports --no-logo
check poetry check --strict
check requirements_are_current
[ -z "$failed" ] || { echo "lint.sh: failed:$failed" >&2; exit 1; }
