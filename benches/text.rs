//! Speed of canonical text and of its layers: clean text first, since nearly all text is clean.
//!
//! `cargo bench --bench text -- FILE…` reads each file as one text, `*.bin` as many: four bytes of length (little-endian), then
//! the bytes, and so on. Without files, texts are made here, the same in every run. A line for each stage: milliseconds for
//! 400 KB of such text on one core, the least of many rounds (others use the machine too), and MB/s.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and without its files it is of no use")]

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use portcullis::base::Limits;
use portcullis::text::{Stages, canonical, layers_of};

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

/// The texts of a file.
fn read(path: &str) -> Vec<String> {
    let bytes = fs::read(path).expect(path);
    if !path.ends_with(".bin") {
        return vec![String::from_utf8_lossy(&bytes).into_owned()];
    }
    let mut texts = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (text, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        texts.push(String::from_utf8_lossy(text).into_owned());
        rest = after;
    }
    texts
}

const ROUNDS: usize = 30;

/// What each stage takes for all texts, the least of all rounds.
fn measure(texts: &[String]) -> Vec<(&'static str, Duration)> {
    let limits = Limits::default();
    let names = ["canonical", "layers", "signs"].into_iter().chain(Stages::NAMES);
    let mut least: Vec<(&str, Duration)> = names.map(|name| (name, Duration::MAX)).collect();
    for _ in 0..ROUNDS {
        let mut spent = vec![Duration::ZERO; least.len()];
        for text in texts {
            let mut timed = |stage: usize, work: &mut dyn FnMut()| {
                let start = Instant::now();
                work();
                spent[stage] += start.elapsed();
            };
            timed(0, &mut || drop(black_box(canonical(black_box(text)))));
            let folded = canonical(text);
            timed(1, &mut || drop(black_box(layers_of(black_box(&folded), &limits))));
            timed(2, &mut || drop(black_box(Stages::new(black_box(&folded.text)))));
            let stages = Stages::new(&folded.text);
            for number in 0..Stages::NAMES.len() {
                timed(3 + number, &mut || {
                    black_box(stages.decode(black_box(number)));
                });
            }
        }
        least.iter_mut().zip(&spent).for_each(|((_, least), spent)| *least = (*least).min(*spent));
    }
    least
}

fn print(name: &str, texts: &[String]) {
    let bytes: usize = texts.iter().map(String::len).sum();
    println!("{name}: {} texts, {bytes} bytes", texts.len());
    let line = |name: &str, time: Duration| {
        let per_prompt = time.as_secs_f64() * 1e3 * BYTES as f64 / bytes as f64;
        println!("  {name:18} {per_prompt:8.3} ms per 400 KB {:9.0} MB/s", bytes as f64 / 1e6 / time.as_secs_f64());
    };
    let stages = measure(texts);
    for (number, (name, time)) in stages.iter().enumerate() {
        line(name, *time);
        if number == 1 {
            line("both", stages.iter().take(2).map(|(_, time)| *time).sum());
            println!("  of the layers, the first level alone:");
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // A test runner that lists or runs all targets: there is no test here.
    if arguments.iter().any(|argument| matches!(argument.as_str(), "--list" | "--test")) {
        return;
    }
    let files: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    if files.is_empty() {
        texts().into_iter().for_each(|(name, text)| print(name, &[text]));
    }
    files.into_iter().for_each(|path| print(path, &read(path)));
}
