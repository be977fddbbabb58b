#!/usr/bin/env bash
# Installs what a step needs from Debian's packages, or names the one line that does.
# Usage: scripts/need.sh build|fuzz|test|vectorscan …
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then sudo "$@"
    else return 1
    fi
}

updated=no
# install PACKAGE… : once, quietly; without apt or rights it says which line to type.
install() {
    if ! command -v apt-get >/dev/null 2>&1; then
        say "missing: $*. This machine has no apt-get; install them with its own package manager and run the command again."
        exit 1
    fi
    say "installing from Debian's packages: $*"
    local log
    log=$(mktemp)
    if { [ "$updated" = yes ] || as_root apt-get update; } >"$log" 2>&1 && updated=yes &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1; then
        rm -f "$log"
        return
    fi
    tail -n 15 "$log" >&2
    rm -f "$log"
    say "could not install them (no network, or no rights). As root: apt-get update && apt-get install -y $*"
    exit 1
}

# The newest PostgreSQL server here, in PATH or in Debian's own place.
postgres_bin() {
    if command -v initdb >/dev/null 2>&1; then return 0; fi
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

need_build() {
    if ! command -v cargo >/dev/null 2>&1; then
        say "cargo is missing: install Rust 1.90 or newer (https://rustup.rs), open a new shell, and run the command again."
        exit 1
    fi
    local packages=()
    command -v cc >/dev/null 2>&1 || packages+=(gcc libc6-dev)
    command -v python3 >/dev/null 2>&1 || packages+=(python3)
    python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
    [ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
    if [ ${#packages[@]} -gt 0 ]; then install "${packages[@]}"; fi
}

# libFuzzer is C++; its source comes with the crate.
need_fuzz() {
    if ! command -v c++ >/dev/null 2>&1; then install g++; fi
}

need_test() {
    local packages=()
    postgres_bin || packages+=(postgresql)
    command -v node >/dev/null 2>&1 || packages+=(nodejs)
    command -v npm >/dev/null 2>&1 || packages+=(npm)
    command -v chromium >/dev/null 2>&1 || packages+=(chromium fonts-dejavu-core)
    command -v chromedriver >/dev/null 2>&1 || packages+=(chromium-driver)
    if [ ${#packages[@]} -gt 0 ]; then install "${packages[@]}"; fi
}

# The engine that ours is measured beside: a C library with its header.
need_vectorscan() {
    if ! printf 'int main(void) { return 0; }\n' | cc -xc - -lhs -o /dev/null 2>/dev/null; then install libvectorscan-dev; fi
}

for step in "$@"; do
    case "$step" in
    build) need_build ;;
    fuzz) need_fuzz ;;
    test) need_test ;;
    vectorscan) need_vectorscan ;;
    *) say "scripts/need.sh: unknown step $step (build, fuzz, test, vectorscan)"; exit 64 ;;
    esac
done
