//! Scanning speed: the shipped rules over clean text, since nearly all text is clean, and over near misses; whole texts, whole
//! texts with their canonical form, streams in small chunks; and lists of literals.
//!
//! `cargo bench --bench scan`; `-- english` for what has this in its name. Texts and lists: benches/corpora. Beside Vectorscan:
//! benches/vectorscan.

#![expect(clippy::expect_used, clippy::panic, reason = "a bench without rules is of no use")]

#[expect(dead_code, reason = "other benches take what this one does not")]
mod corpora;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use corpora::lists::{phrases, rule_files};
use corpora::near_misses::{Shape, near_misses, shapes};
use corpora::{Corpus, boundary};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use portcullis::rules::{from_sources, load};
use portcullis::scan::{Context, Match, Reading, Scanner, Scratch, StreamMatch};
use portcullis::text::{Direction, Role, canonical};

/// Documents of so many bytes are one round.
const BYTES: usize = 128 * 1024;
/// Bytes that a stream brings at a time.
const CHUNK: usize = 64;

/// How a text is searched.
type Search<M> = fn(&Scanner, &str, &mut Scratch, &mut Vec<M>);

const CONTEXT: Context = Context { direction: Direction::Reply, role: Role::Assistant };

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rules(criterion: &mut Criterion) {
    let loaded = load(&[root().join("rules")]).unwrap_or_else(|problems| panic!("{problems}"));
    let scanner = Scanner::new(Arc::new(loaded.set)).expect("the shipped rules compile");
    let mut corpora = corpora::clean(root());
    corpora.push(near_misses(&shapes(&scanner, CONTEXT), &corpora[0]));
    over(criterion, "whole", &scanner, &corpora, whole);
    over(criterion, "canonical", &scanner, &corpora, with_canonical);
    over(criterion, "stream_64", &scanner, &corpora, streamed);
}

fn over<M>(criterion: &mut Criterion, name: &str, scanner: &Scanner, corpora: &[Corpus], search: Search<M>) {
    let mut group = criterion.benchmark_group(name);
    corpora.iter().for_each(|corpus| measure(&mut group, &corpus.name, scanner, corpus, search));
    group.finish();
}

fn lists(criterion: &mut Criterion) {
    let english = corpora::clean(root()).swap_remove(0);
    let mut group = criterion.benchmark_group("lists");
    for size in [600, 6_000, 100_000] {
        let literals = phrases(size);
        let set = from_sources(rule_files(&literals)).unwrap_or_else(|problems| panic!("{problems}")).set;
        let scanner = Scanner::new(Arc::new(set)).expect("the lists compile");
        let shapes: Vec<Shape> = literals.into_iter().map(Shape::Literal).collect();
        for corpus in [&english, &near_misses(&shapes, &english)] {
            measure(&mut group, &format!("{size} {}", corpus.name), &scanner, corpus, whole);
        }
    }
    group.finish();
}

/// The first documents of a corpus.
fn documents(corpus: &Corpus) -> Vec<&str> {
    let mut bytes = 0;
    let first = corpus.documents.iter().map(String::as_str).take_while(|document| {
        bytes += document.len();
        bytes <= BYTES
    });
    first.collect()
}

/// Measures a round: each document is searched in one way.
fn measure<M>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    scanner: &Scanner,
    corpus: &Corpus,
    search: Search<M>,
) {
    let documents = documents(corpus);
    group.throughput(Throughput::Bytes(documents.iter().map(|document| document.len() as u64).sum()));
    group.bench_function(name, |bencher| {
        let mut scratch = scanner.scratch();
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            documents.iter().for_each(|text| search(scanner, text, &mut scratch, &mut out));
            black_box(out.len())
        });
    });
}

fn whole(scanner: &Scanner, text: &str, scratch: &mut Scratch, out: &mut Vec<Match>) {
    scanner.scan(text, Reading::Both, CONTEXT, scratch, out);
}

fn with_canonical(scanner: &Scanner, text: &str, scratch: &mut Scratch, out: &mut Vec<Match>) {
    let folded = canonical(text);
    if folded.map.is_identity() {
        return whole(scanner, text, scratch, out);
    }
    scanner.scan(text, Reading::Raw, CONTEXT, scratch, out);
    scanner.scan(&folded.text, Reading::Canonical, CONTEXT, scratch, out);
}

fn streamed(scanner: &Scanner, text: &str, scratch: &mut Scratch, out: &mut Vec<StreamMatch>) {
    let mut stream = scanner.stream(Role::Assistant, text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(boundary(rest, CHUNK));
        stream.push(chunk, scratch, out);
        rest = after;
    }
    stream.finish(scratch, out);
}

criterion_group!(benches, rules, lists);
criterion_main!(benches);
