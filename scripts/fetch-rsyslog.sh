#!/usr/bin/env bash
# Unpacks rsyslog from Debian's packages into .cache/rsyslog: a server that tests start for themselves. It is not installed, so that
# no machine gets a second system logger.
set -euo pipefail
cd "$(dirname "$0")/.."

home=$PWD/.cache/rsyslog
[ -x "$home/usr/sbin/rsyslogd" ] && exit 0

command -v apt-get >/dev/null 2>&1 || {
    echo "missing: rsyslogd. This machine has no apt-get; put rsyslog 8.2106 or newer, with gtls, under $home and run the command again." >&2
    exit 1
}
packages=(rsyslog rsyslog-gnutls libestr0 libfastjson4 liblognorm5)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo "fetching from Debian's packages: ${packages[*]}" >&2
if ! apt-get download "${packages[@]}" >log 2>&1; then
    # Lists of packages may be absent or old.
    if [ "$(id -u)" = 0 ]; then apt-get update >>log 2>&1 || true; else sudo apt-get update >>log 2>&1 || true; fi
    apt-get download "${packages[@]}" >>log 2>&1 || {
        tail -n 15 log >&2
        echo "could not fetch them: check the network, then run the command again" >&2
        exit 1
    }
fi
mkdir "$work/root"
for package in ./*.deb; do dpkg -x "$package" "$work/root"; done
rm -rf "$home"
mkdir -p "$(dirname "$home")"
mv "$work/root" "$home"
