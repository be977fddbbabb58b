# Portcullis: the one door. `make run` starts the appliance, `make test` passes the tests; both install what they need.

.PHONY: build run test check bench bench-vectorscan bench-lists fuzz soak screenshots eval train-test help
.DEFAULT_GOAL := help

# The library that runs the classifier: another platform's or the system's own is named here.
export PORTCULLIS_ONNXRUNTIME ?=
# Where `make bench-vectorscan` keeps what Vectorscan has compiled: empty, nothing is kept.
KEEP ?= target/vectorscan/kept
# Read by scripts/fuzz.sh.
export FUZZ_SECONDS FUZZ_TARGETS

help:
	@echo 'make run     build and start the appliance (http://127.0.0.1:8080/v1, admin http://127.0.0.1:9090)'
	@echo 'make test    install what the tests need (PostgreSQL, client libraries) and run them'
	@echo 'make build   everything that `make run` needs, ending in target/release/portcullis'
	@echo 'make check   formatting and lints'
	@echo 'make bench   benchmarks of the scanner, of canonical text, of a 400 KB prompt and of loading'
	@echo 'make bench-vectorscan   the shipped rules beside Vectorscan: three quarters of an hour the first time'
	@echo 'make bench-lists   lists of 600, 6,000 and 100,000 literals beside Vectorscan and aho-corasick'
	@echo 'make fuzz    every fuzz target for FUZZ_SECONDS (600), or those that FUZZ_TARGETS names'
	@echo 'make soak    kills and outages under load, a year of retention: about an hour'
	@echo 'make screenshots   the pictures of docs/console.md, by the tests of the pages'
	@echo 'make eval DATA=FOLDER   the classifier on labelled JSON lines'
	@echo 'make train-test   the tests of the training scripts'

# `make build`: the compiler's needs, ONNX Runtime, the release binary.
build:
	@scripts/need.sh build
	@scripts/fetch-onnxruntime.sh
	cargo build --release --locked

run: build
	target/release/portcullis run

test:
	@scripts/need.sh build test
	@scripts/fetch-onnxruntime.sh
	@scripts/test.sh

check:
	cargo fmt --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo fmt --manifest-path benches/vectorscan/Cargo.toml --check
	cargo clippy --locked --all-targets -- -D warnings

# docs/benchmarks.md.
bench:
	@scripts/need.sh build
	cargo bench --locked --bench load --bench prompt --bench scan --bench text

VECTORSCAN = target/vectorscan/release/portcullis-vectorscan

.PHONY: build-vectorscan
build-vectorscan:
	@scripts/need.sh build vectorscan
	cargo build --release --locked --manifest-path benches/vectorscan/Cargo.toml --target-dir target/vectorscan

bench-vectorscan: build-vectorscan
	@echo 'Vectorscan takes about 31 minutes to compile our rules for whole texts and 12 for streams;' \
	    '$(if $(KEEP),what it has made is kept in $(KEEP),KEEP=FOLDER would keep what it makes).'
	$(VECTORSCAN) $(if $(KEEP),--keep $(KEEP))

bench-lists: build-vectorscan
	$(VECTORSCAN) --lists 600,6000,100000

# docs/fuzzing.md. Each target for FUZZ_SECONDS=600, one after the other.
fuzz:
	@scripts/need.sh build fuzz
	@scripts/fuzz.sh

# docs/reliability.md. SOAK_ROUNDS=3 tries it in little.
soak:
	@scripts/need.sh build test
	@scripts/fetch-onnxruntime.sh
	cargo test --locked --test soak -- --ignored --skip child --nocapture --test-threads=1

screenshots:
	@scripts/need.sh build test
	@scripts/fetch-onnxruntime.sh
	mkdir -p docs/images
	PORTCULLIS_SCREENSHOTS='$(CURDIR)/docs/images' scripts/test.sh --test console_pages

eval: build
	@test -n '$(DATA)' || { echo 'name the folder: make eval DATA=path/to/data' >&2; exit 64; }
	target/release/portcullis eval $(wildcard $(DATA)/*.jsonl $(DATA)/*.jsonl.gz)

# The training scripts' own tests: a virtual environment with JAX (about 800 MB) in .venv-train.
train-test:
	test -x .venv-train/bin/python || python3 -m venv .venv-train
	.venv-train/bin/python -m pip install --quiet -r train/requirements.txt
	.venv-train/bin/python -m pip install --quiet --no-deps -r train/base.txt
	cd train && ../.venv-train/bin/python -m pytest tests
