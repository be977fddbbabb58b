#!/usr/bin/env bash
# Fetches ONNX Runtime's shared library, which the classifier runs on, out of its wheel on the Python package index.
#
#     scripts/fetch-onnxruntime.sh [FOLDER]        (default: .cache/onnxruntime in this checkout)
#
# Version and hashes are pinned below. Does nothing when the right library is there already.
# Another platform, or a library of the system's own (1.24 or newer): set PORTCULLIS_ONNXRUNTIME to its file, here and
# when Portcullis runs; then nothing is fetched.
set -euo pipefail

version=1.31.1
library=libonnxruntime.so.$version
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64)
    platform=manylinux_2_28_x86_64
    wheel_sha256=5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f
    library_sha256=fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3
    ;;
  Linux-aarch64)
    platform=manylinux_2_28_aarch64
    wheel_sha256=da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3
    library_sha256=8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467
    ;;
  *) platform= ;;
esac

fail() {
  printf 'fetch-onnxruntime: %s\n' "$@" >&2
  exit 1
}

if [ "$#" -gt 1 ]; then
  printf 'usage: %s [FOLDER]\n' "$0" >&2
  exit 64
fi

if [ -n "${PORTCULLIS_ONNXRUNTIME:-}" ]; then
  [ -f "$PORTCULLIS_ONNXRUNTIME" ] ||
    fail "PORTCULLIS_ONNXRUNTIME names $PORTCULLIS_ONNXRUNTIME, which is not a file." \
      "Correct it, or unset it to have ONNX Runtime fetched."
  echo "ONNX Runtime: $PORTCULLIS_ONNXRUNTIME (from PORTCULLIS_ONNXRUNTIME)"
  exit 0
fi

[ -n "$platform" ] ||
  fail "no pinned library for $(uname -s) on $(uname -m)." \
    "Install ONNX Runtime 1.24 or newer and set PORTCULLIS_ONNXRUNTIME to its shared library."

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$root/.cache/onnxruntime}
target=$folder/$library

has_hash() { # FILE SHA256
  [ -f "$1" ] && [ "$(sha256sum -- "$1" | cut -d ' ' -f 1)" = "$2" ]
}

if has_hash "$target" "$library_sha256"; then
  echo "ONNX Runtime: $target (there already)"
  exit 0
fi

# The library is linked against glibc 2.28.
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2) || libc=
if [ -z "$libc" ]; then
  fail "this system has no glibc (Alpine's musl?), which the pinned library needs." \
    "Install ONNX Runtime from the system's packages and set PORTCULLIS_ONNXRUNTIME to its shared library."
elif [ "$(printf '2.28\n%s\n' "$libc" | sort -V | head -n 1)" != 2.28 ]; then
  fail "glibc is $libc; the pinned library needs 2.28 or newer (Debian 10, Ubuntu 18.10, RHEL 8 or later)." \
    "Upgrade the system, or build ONNX Runtime for it and set PORTCULLIS_ONNXRUNTIME to its shared library."
fi

command -v python3 >/dev/null ||
  fail "python3 is missing. Debian and Ubuntu: sudo apt-get install -y python3 python3-pip"

mkdir -p -- "$folder" 2>/dev/null || fail "cannot make the folder $folder: check its owner and the free space on its disk."
# Inside the target folder, so that the last step is a rename within one file system.
work=$(mktemp -d "$folder/.fetch.XXXXXX") || fail "cannot write in $folder: check its owner and the free space on its disk."
trap 'rm -rf -- "$work"' EXIT

# About 24 MB packed, 29 MB unpacked.
free_kb=$(df -Pk -- "$folder" | awk 'NR == 2 { print $4 }')
if [ "${free_kb:-0}" -lt 65536 ]; then
  fail "only $((${free_kb:-0} / 1024)) MB free on the disk of $folder; 64 MB are needed."
fi

# Downloading installs nothing, so an externally managed Python (Debian 12) does not mind. Without pip, a throw-away
# environment brings its own.
pip=(python3 -m pip)
if ! "${pip[@]}" --version >/dev/null 2>&1; then
  if python3 -m venv "$work/venv" >/dev/null 2>&1 && "$work/venv/bin/python3" -m pip --version >/dev/null 2>&1; then
    pip=("$work/venv/bin/python3" -m pip)
  else
    fail "python3 has no pip and no venv module. Debian and Ubuntu: sudo apt-get install -y python3-pip"
  fi
fi

echo "ONNX Runtime $version: downloading (about 24 MB) ..."
if ! PIP_REQUIRE_VIRTUALENV=0 "${pip[@]}" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 311 \
  --implementation cp --platform "$platform" --dest "$work/wheel" "onnxruntime==$version" >"$work/log" 2>&1; then
  tail -n 5 -- "$work/log" >&2
  if grep -qi 'no space left' "$work/log"; then
    fail "the disk is full (pip also needs room in ${TMPDIR:-/tmp})."
  fi
  fail "pip could not download onnxruntime==$version (its last words are above)." \
    "No network? Set pip's index or proxy (PIP_INDEX_URL, HTTPS_PROXY), or copy $library from another machine to $target" \
    "(its sha256 must be $library_sha256), or set PORTCULLIS_ONNXRUNTIME to a library you have."
fi

wheels=("$work"/wheel/*.whl)
[ "${#wheels[@]}" -eq 1 ] && [ -f "${wheels[0]}" ] || fail "pip said nothing, but there is not exactly one wheel. Try again."
has_hash "${wheels[0]}" "$wheel_sha256" ||
  fail "the wheel is not the pinned one: its sha256 is $(sha256sum -- "${wheels[0]}" | cut -d ' ' -f 1)," \
    "expected $wheel_sha256. Nothing was installed." \
    "A proxy or mirror may have changed it: try another index, and report it if it happens again."

# The library's licence texts come along.
python3 - "${wheels[0]}" "$work" "$library" <<'PYTHON' || fail "unpacking failed: is the disk of $folder full?"
import pathlib, sys, zipfile
wheel, folder, library = sys.argv[1:]
with zipfile.ZipFile(wheel) as packed:
    for name in (f"onnxruntime/capi/{library}", "onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt"):
        pathlib.Path(folder, pathlib.PurePosixPath(name).name).write_bytes(packed.read(name))
PYTHON
has_hash "$work/$library" "$library_sha256" || fail "the unpacked library is not the pinned one. Try again; check the disk."

chmod 755 -- "$work/$library"
mv -f -- "$work/LICENSE" "$work/ThirdPartyNotices.txt" "$folder/"
mv -f -- "$work/$library" "$target"
echo "ONNX Runtime: $target"
