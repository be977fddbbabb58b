#!/usr/bin/env bash
# Builds the fuzz targets and runs each for FUZZ_SECONDS, one after the other; docs/fuzzing.md says what they prove.
# Usage: FUZZ_SECONDS=600 FUZZ_TARGETS='stream loader' scripts/fuzz.sh
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-600}
home=target/fuzz
read -ra targets <<<"${FUZZ_TARGETS:-loader normaliser protocol reply shipped stream}"

# Counters at every branch, as `cargo fuzz` sets them. No sanitizer: the crate has no `unsafe` for one to watch, and the flags
# for it are not stable. With --target the flags reach what is fuzzed and not the build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
flags='--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4'
for part in inline-8bit-counters pc-table trace-compares stack-depth; do
    flags+=" -Cllvm-args=-sanitizer-coverage-$part"
done
RUSTFLAGS="$flags" CARGO_TARGET_DIR="$home" \
    cargo build --manifest-path fuzz/Cargo.toml --release --locked --target "$host" --quiet --bins

# Further samples that the tests have already, and the longest input.
samples() {
    case "$1" in
    loader) printf '%s\n' tests/data/rules ;;
    protocol) printf '%s\n' tests/data/protocol ;;
    esac
}
longest() {
    case "$1" in
    loader) echo 6000 ;;
    reply | stream) echo 600 ;;
    *) echo 2000 ;;
    esac
}

export RUST_BACKTRACE=0
failed=no
for target in "${targets[@]}"; do
    mkdir -p "$home/corpus/$target" "$home/found"
    log="$home/$target.log"
    arguments=(-max_total_time="$seconds" -max_len="$(longest "$target")" -timeout=20 -rss_limit_mb=4096
        -artifact_prefix="$home/found/$target-" -print_final_stats=1)
    if [ -e "fuzz/seeds/$target.dict" ]; then arguments+=(-dict="fuzz/seeds/$target.dict"); fi
    if [ "$target" = loader ]; then arguments+=(-seed_inputs=portcullis.yaml); fi
    mapfile -t folders < <(samples "$target")
    if "$home/$host/release/$target" "${arguments[@]}" "$home/corpus/$target" "fuzz/seeds/$target" "${folders[@]}" \
        >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        # A target that runs nothing is broken, not clean.
        if [ "${runs:-0}" -gt 0 ]; then
            echo "fuzz $target: clean, $runs runs in $seconds s"
            continue
        fi
    fi
    failed=yes
    echo "fuzz $target: FAILED; the whole log is $log" >&2
    grep -v '^#\|^INFO\|^WARNING\|^NOTE\|^ *Combine\|^0x\|^Base64\|^stat' "$log" | cut -c -2000 | tail -n 25 >&2 || true
    echo "again: $home/$host/release/$target FILE, with the FILE that the log names" >&2
done
[ "$failed" = no ]
