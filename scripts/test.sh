#!/usr/bin/env bash
# Puts the official client libraries and a syslog server beside the checkout's other caches, then runs every test.
set -euo pipefail
cd "$(dirname "$0")/.."

clients=.cache/clients
stamp="$clients/installed"
wanted=$(cat tests/clients/requirements.txt tests/clients/package.json tests/clients/package-lock.json | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo 'client libraries: installing (tests/clients/requirements.txt and package.json)' >&2
    rm -rf "$clients"
    mkdir -p "$clients/node"
    # --target needs no virtual environment, also where the system's Python is managed by its packages.
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --target "$clients/python" -r tests/clients/requirements.txt ||
        { echo 'pip could not install tests/clients/requirements.txt: check the network, then run make test again' >&2; exit 1; }
    cp tests/clients/package.json tests/clients/package-lock.json "$clients/node/"
    (cd "$clients/node" && npm ci --silent --no-audit --no-fund --ignore-scripts) ||
        { echo 'npm could not install tests/clients/package.json: check the network, then run make test again' >&2; exit 1; }
    printf '%s\n' "$wanted" >"$stamp"
fi

scripts/fetch-rsyslog.sh

if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run --locked --no-fail-fast "$@"
fi
exec cargo test --locked --no-fail-fast "$@"
