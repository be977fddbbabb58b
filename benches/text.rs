//! Speed of canonical text and of its layers: clean text first, since nearly all text is clean.
//!
//! `cargo bench --bench text -- FILE…` reads each file as one text, `*.bin` as many: four bytes of length (little-endian), then
//! the bytes, and so on. Without files, texts are those of benches/corpora. A line for each stage: milliseconds for
//! 400 KB of such text on one core, the least of many rounds (others use the machine too), and MB/s.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and without its files it is of no use")]

#[expect(dead_code, reason = "other benches take what this one does not")]
mod corpora;

use std::fs;
use std::hint::black_box;
use std::path::Path;
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

/// Texts that layers have to decode, and noise that looks like it.
fn disguised() -> [(&'static str, String); 2] {
    [
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
        let clean = corpora::clean(Path::new(env!("CARGO_MANIFEST_DIR")));
        clean.iter().for_each(|corpus| print(&corpus.name, &[corpus.text(BYTES)]));
        disguised().into_iter().for_each(|(name, text)| print(name, &[text]));
    }
    files.into_iter().for_each(|path| print(path, &read(path)));
}
