//! Speed of canonical text and of its layers: clean text first, since nearly all text is clean.
//!
//! `cargo bench --bench text`. Texts are made here, the same in every run.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portcullis::base::Limits;
use portcullis::text::{canonical, layers_of};

/// The size of the prompt that the project's targets speak of.
const BYTES: usize = 400 * 1024;

/// Sentences in an order that does not repeat soon.
fn text(sentences: &[&str]) -> String {
    let mut text = String::with_capacity(BYTES + 256);
    let mut seed = 1u32;
    while text.len() < BYTES {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(sentences[(seed >> 16) as usize % sentences.len()]);
        text.push(if seed >> 20 & 7 == 0 { '\n' } else { ' ' });
    }
    text
}

fn texts() -> [(&'static str, String); 6] {
    [
        (
            "english",
            text(&[
                "The committee met on Tuesday to review the draft budget for the coming year.",
                "Please find attached the minutes, with the changes that we discussed last week.",
                "Our bakery opens at seven; the first loaves are gone by half past eight.",
                "What is the difference between a mutex and a semaphore?",
            ]),
        ),
        (
            "code",
            text(&[
                "    let mut found = Vec::with_capacity(self.rows.len());",
                "    for (index, row) in self.rows.iter().enumerate() {",
                "        if row.id == wanted && !row.is_empty() { found.push(index); }",
                "    assert_eq!(parse_header(b\"x-id: 42\"), Ok((\"x-id\", 42)));",
            ]),
        ),
        (
            "json",
            text(&[
                r#"{"id": 48213, "name": "apple", "price": 0.52, "at": "2026-11-21T10:22:33Z"},"#,
                r#"{"sha": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4", "tags": ["a1", "sku-0042"]},"#,
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
            "disguised",
            text(&["snoitcurtsni suoiverp", "vafgehpgvbaf naq ehyrf", "1gn0r3 4ll", "i g n o r e", "all good"]),
        ),
        ("noise", text(&["c2Fq8Zr2Wn5Lk0Xv7Tb4Mc9", "q9XwE3rT7yU1iO5pA", "Zz8+/Kk3LmN0bV6cX"])),
    ]
}

fn readings(criterion: &mut Criterion) {
    let limits = Limits::default();
    for (name, text) in texts() {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
        group.bench_function("canonical", |bencher| bencher.iter(|| black_box(canonical(&text))));
        let folded = canonical(&text);
        group.bench_function("layers", |bencher| bencher.iter(|| black_box(layers_of(&folded, &limits))));
        group.finish();
    }
}

criterion_group!(benches, readings);
criterion_main!(benches);
