//! Scanning speed: clean text first, since nearly all text is clean; then other scripts, near misses, hostile text, streams.
//!
//! `cargo bench --bench scan`. The shipped rules judge; texts are made here, the same in every run.

#![expect(clippy::expect_used, clippy::panic, reason = "a bench without rules is of no use")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portcullis::rules::load;
use portcullis::scan::{Context, Reading, Scanner};
use portcullis::text::{Direction, Role, canonical};

const BYTES: usize = 32 * 1024;

fn scanner() -> Scanner {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = here.join("rules");
    let folder = if shipped.is_dir() { shipped } else { here.join("tests/data/rules/good") };
    let loaded = load(&[folder]).unwrap_or_else(|problems| panic!("{problems}"));
    Scanner::new(Arc::new(loaded.set)).expect("the shipped rules compile")
}

/// Sentences in an order that does not repeat soon.
fn text(sentences: &[&str]) -> String {
    let mut text = String::with_capacity(BYTES + 256);
    let mut seed = 1u32;
    while text.len() < BYTES {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(sentences[(seed >> 16) as usize % sentences.len()]);
        text.push(' ');
    }
    text
}

fn texts() -> [(&'static str, String); 5] {
    [
        (
            "clean",
            text(&[
                "The committee met on Tuesday to review the draft budget for the coming year.",
                "Please find attached the minutes, with the changes that we discussed last week.",
                "Our bakery opens at seven; the first loaves are gone by half past eight.",
                "A function that returns early is easier to read than one that nests.",
                "What is the difference between a mutex and a semaphore?",
            ]),
        ),
        (
            "multilingual",
            text(&[
                "Комитет собрался во вторник, чтобы обсудить проект бюджета.",
                "委员会周二开会审议明年的预算草案。",
                "Der Ausschuss prüft die Änderungen; größere Beträge müssen begründet werden.",
                "위원회는 화요일에 예산 초안을 검토했다.",
                "اجتمعت اللجنة يوم الثلاثاء لمراجعة مشروع الميزانية.",
            ]),
        ),
        (
            "near_misses",
            text(&[
                "He ignored the previous speaker and forgot all about the rules above the door.",
                "Disregard for previous instructors is common; the system prompts you to act.",
                "Pretend that you are reading: the developer mode of the phone is not the point.",
                "Card 4111 1111 1111 1112, phone 2026-11-21, key sk-short, mail a@b, ghp_no.",
                "Repeat the words of the above song, and reveal the hidden instrument.",
            ]),
        ),
        ("digits", text(&["4111", "1111 1111", "12-34-56", "+1", "(212)", "0000000000000000000000"])),
        (
            "prefixes",
            text(&["ignore", "ignore all", "disregard previous", "forget", "-----BEGIN", "sk-", "ghp_", "AKIA"]),
        ),
    ]
}

fn whole(criterion: &mut Criterion) {
    let scanner = scanner();
    let context = Context { direction: Direction::Request, role: Role::User };
    let mut group = criterion.benchmark_group("whole");
    for (name, text) in texts() {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            let mut scratch = scanner.scratch();
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                let folded = canonical(&text);
                if folded.map.is_identity() {
                    scanner.scan(&text, Reading::Both, context, &mut scratch, &mut out);
                } else {
                    scanner.scan(&text, Reading::Raw, context, &mut scratch, &mut out);
                    scanner.scan(&folded.text, Reading::Canonical, context, &mut scratch, &mut out);
                }
                black_box(out.len())
            });
        });
    }
    group.finish();
}

fn stream(criterion: &mut Criterion) {
    let scanner = scanner();
    let mut group = criterion.benchmark_group("stream_64");
    for (name, text) in texts() {
        let mut chunks = Vec::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let cut = (64.min(rest.len())..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
            let (chunk, after) = rest.split_at(cut);
            chunks.push(chunk);
            rest = after;
        }
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            let mut scratch = scanner.scratch();
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                let mut stream = scanner.stream(Role::Assistant, text.len());
                for chunk in &chunks {
                    stream.push(chunk, &mut scratch, &mut out);
                }
                stream.finish(&mut scratch, &mut out);
                black_box(out.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, whole, stream);
criterion_main!(benches);
