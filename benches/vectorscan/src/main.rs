//! Portcullis beside Vectorscan and aho-corasick: the same patterns, the same texts, one thread, interleaved rounds.
//!
//! ```text
//! portcullis-vectorscan [--rules FOLDER] [--rounds N] [--lists N,N,…] [--words FILE] [--alone] [--paranoia N]
//!                       [--case TEXT] [--keep FOLDER] NAME=FILE…
//! ```
//!
//! FILE: plain text, cut into documents of 4 KB, or a corpus of `[u32 length][bytes]` (`.bin`). Speed is bytes over the
//! thread's CPU time, median of the rounds. Our figures are for what a prompt goes through: canonical form and all rules in
//! one pass (`scan`), and the scan alone (`scan only`).

mod hs;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use portcullis::rules::{Paranoia, PatternKind, from_sources, load};
use portcullis::scan::{Context, Reading, Scanner};
use portcullis::text::{Direction, Role, canonical};

type Run<'a> = Box<dyn FnMut(&[String]) -> u64 + 'a>;

struct Case<'a> {
    name: String,
    run: Run<'a>,
    seconds: Vec<f64>,
    found: u64,
}

fn cpu() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value of the right type.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn documents(path: &str) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut all = Vec::new();
    if path.ends_with(".bin") {
        let mut rest = bytes.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let (document, next) = after.split_at(u32::from_le_bytes(*length) as usize);
            // What is not UTF-8 is no text to us: nobody is given it.
            all.extend(String::from_utf8(document.to_vec()));
            rest = next;
        }
        return all;
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut rest = text.as_ref();
    while !rest.is_empty() {
        let cut = (4096.min(rest.len())..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        let (document, next) = rest.split_at(cut);
        all.push(document.to_owned());
        rest = next;
    }
    all
}

const CONTEXT: Context = Context { direction: Direction::Reply, role: Role::Assistant };

fn ours<'a>(scanner: &'a Scanner, fold: bool) -> Run<'a> {
    let mut scratch = scanner.scratch();
    let mut out = Vec::new();
    Box::new(move |documents| {
        let mut found = 0;
        for text in documents {
            out.clear();
            if fold {
                let folded = canonical(text);
                if folded.map.is_identity() {
                    scanner.scan(text, Reading::Both, CONTEXT, &mut scratch, &mut out);
                } else {
                    scanner.scan(text, Reading::Raw, CONTEXT, &mut scratch, &mut out);
                    scanner.scan(&folded.text, Reading::Canonical, CONTEXT, &mut scratch, &mut out);
                }
            } else {
                scanner.scan(text, Reading::Both, CONTEXT, &mut scratch, &mut out);
            }
            found += out.len() as u64;
        }
        found
    })
}

fn ours_streaming(scanner: &Scanner, chunk: usize) -> Run<'_> {
    let mut scratch = scanner.scratch();
    let mut out = Vec::new();
    Box::new(move |documents| {
        let mut found = 0;
        for text in documents {
            out.clear();
            let mut stream = scanner.stream(Role::Assistant, text.len());
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let cut =
                    (chunk.min(rest.len())..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
                let (piece, next) = rest.split_at(cut);
                stream.push(piece, &mut scratch, &mut out);
                rest = next;
            }
            stream.finish(&mut scratch, &mut out);
            found += out.len() as u64;
        }
        found
    })
}

fn theirs<'a>(database: &'a hs::Database, chunk: Option<usize>) -> Run<'a> {
    Box::new(move |documents| {
        let count = |text: &String| match chunk {
            None => database.block(text.as_bytes()),
            Some(chunk) => database.stream(text.as_bytes(), chunk),
        };
        documents.iter().map(count).sum()
    })
}

fn compare(title: &str, mut cases: Vec<Case<'_>>, corpora: &[(String, Vec<String>)], rounds: usize) {
    for (corpus, documents) in corpora {
        let bytes: usize = documents.iter().map(String::len).sum();
        for case in &mut cases {
            case.seconds.clear();
            black_box((case.run)(&documents[..documents.len().min(200)]));
        }
        for _ in 0..rounds {
            for case in &mut cases {
                let start = cpu();
                case.found = black_box((case.run)(documents));
                case.seconds.push(cpu() - start);
            }
        }
        for case in &mut cases {
            case.seconds.sort_by(f64::total_cmp);
            let speed = |seconds: f64| bytes as f64 / seconds / 1e9;
            let median = case.seconds[case.seconds.len() / 2];
            println!(
                "{title:<14} {corpus:<14} {:<28} {:>7.3} GB/s ({:.3}..{:.3})  {:>9.2} matches/MB",
                case.name,
                speed(median),
                speed(*case.seconds.last().unwrap()),
                speed(case.seconds[0]),
                case.found as f64 / bytes as f64 * 1e6
            );
        }
    }
}

fn case<'a>(name: impl Into<String>, run: Run<'a>) -> Case<'a> {
    Case { name: name.into(), run, seconds: Vec::new(), found: 0 }
}

/// Drops what Vectorscan refuses, which it tells of one pattern at a time.
fn accepted(patterns: &[(String, u32)], streams: bool) -> Vec<(String, u32)> {
    let takes = |pattern: &&(String, u32)| match hs::Database::new(std::slice::from_ref(pattern), streams) {
        Ok(_) => true,
        Err((message, _)) => {
            eprintln!("Vectorscan refuses {:?}: {message}", pattern.0);
            false
        }
    };
    patterns.iter().filter(takes).cloned().collect()
}

/// Our rules take Vectorscan half an hour to compile: `--keep FOLDER` keeps what it has made.
fn compiled(patterns: &[(String, u32)], streams: bool, keep: Option<&Path>) -> hs::Database {
    let mut hasher = DefaultHasher::new();
    (hs::version(), patterns, streams).hash(&mut hasher);
    let file = keep.map(|folder| folder.join(format!("{:016x}.hs", hasher.finish())));
    let kept = file.as_ref().and_then(|file| std::fs::read(file).ok());
    if let Some(database) = kept.and_then(|bytes| hs::Database::deserialized(&bytes, streams)) {
        return database;
    }
    let wall = std::time::Instant::now();
    let database = hs::Database::new(patterns, streams).unwrap_or_else(|(message, which)| panic!("{which}: {message}"));
    eprintln!("Vectorscan has compiled {} patterns in {:.1} s", patterns.len(), wall.elapsed().as_secs_f64());
    if let Some((file, bytes)) = file.zip(database.serialized()) {
        std::fs::write(&file, bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
    database
}

fn shipped(
    folder: PathBuf,
    keep: Option<&Path>,
    level: u8,
    corpora: &[(String, Vec<String>)],
    rounds: usize,
    alone: bool,
    only: &str,
) {
    let start = cpu();
    let set = load(&[folder]).unwrap_or_else(|problems| panic!("{problems}")).set;
    let set = set.in_force(Paranoia { blocking: level, executing: level });
    let loaded = cpu() - start;
    let wall = std::time::Instant::now();
    let scanner = Scanner::new(Arc::new(set)).unwrap();
    let mut patterns = Vec::new();
    for (_, rule) in scanner.rules().iter().filter(|(_, rule)| rule.applies(CONTEXT.direction, CONTEXT.role)) {
        let caseless = if rule.case_sensitive { 0 } else { hs::CASELESS };
        for pattern in &rule.written {
            let text = match pattern.kind {
                PatternKind::Literal => escape(&pattern.text),
                PatternKind::Regex => pattern.text.clone(),
                // Forms of our own, that Vectorscan has no word for.
                _ => continue,
            };
            patterns.push((text, caseless | hs::SINGLE_MATCH | hs::UTF8));
        }
    }
    println!(
        "rules: {} rules, {} patterns for replies; read in {loaded:.3} s, compiled in {:.3} s",
        scanner.rules().len(),
        patterns.len(),
        wall.elapsed().as_secs_f64()
    );
    if alone {
        for rule in scanner.without_literal() {
            println!("no literal: {}", scanner.rules().rule(rule).unwrap().id);
        }
        for (name, documents) in corpora {
            let mut scratch = scanner.scratch();
            scratch.profile();
            let mut out = Vec::new();
            let mut bytes = 0;
            for text in documents {
                scanner.scan(text, Reading::Both, CONTEXT, &mut scratch, &mut out);
                out.clear();
                bytes += text.len();
            }
            println!("{name}: {bytes} bytes, {:?}", scratch.sightings());
            let mut costs: Vec<_> = scanner.costs(&scratch).collect();
            costs.sort_by_key(|(_, _, cost)| std::cmp::Reverse(cost.nanoseconds));
            for (rule, number, cost) in costs.iter().take(15) {
                let id = &scanner.rules().rule(*rule).unwrap().id;
                println!("{name} {id}/{number} {:.3} ns/B {cost:?}", cost.nanoseconds as f64 / bytes as f64);
            }
        }
        let cases = vec![
            case("portcullis scan", ours(&scanner, true)),
            case("portcullis scan only", ours(&scanner, false)),
            case("portcullis stream 64 B", ours_streaming(&scanner, 64)),
        ];
        let cases = cases.into_iter().filter(|case| case.name.contains(only)).collect();
        return compare("rules", cases, corpora, rounds);
    }
    let block = accepted(&patterns, false);
    let refused = patterns.len() - block.len();
    let stream = accepted(&patterns, true);
    let (block, stream) = (compiled(&block, false, keep), compiled(&stream, true, keep));
    println!("Vectorscan {}: {refused} patterns refused, database {} KB", hs::version(), block.bytes() / 1024);
    let cases = vec![
        case("portcullis scan", ours(&scanner, true)),
        case("portcullis scan only", ours(&scanner, false)),
        case("portcullis stream 64 B", ours_streaming(&scanner, 64)),
        case("vectorscan block", theirs(&block, None)),
        case("vectorscan stream 64 B", theirs(&stream, Some(64))),
    ];
    compare("rules", cases, corpora, rounds);
}

fn escape(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_ascii_punctuation() { vec!['\\', c] } else { vec![c] }).collect()
}

fn lists(words: &[String], sizes: &[usize], keep: Option<&Path>, corpora: &[(String, Vec<String>)], rounds: usize) {
    for size in sizes {
        let mut unique: BTreeMap<String, ()> = BTreeMap::new();
        for word in words.iter().filter(|word| word.len() >= 3).take(*size) {
            unique.insert(word.to_lowercase(), ());
        }
        let words: Vec<&String> = unique.keys().collect();
        let sources = words.chunks(1000).enumerate().map(|(number, words)| {
            let mut yaml = "family: injection\nrules:\n".to_owned();
            yaml.push_str(&format!("  - id: INJ-{:03}\n    title: a list\n    severity: low\n    tags: [owasp:LLM01:2025]\n    applies: {{ direction: both }}\n    action: score\n    examples: {{ match: [a, b], pass: [c, d] }}\n    patterns:\n", number + 1));
            for word in words {
                yaml.push_str(&format!("      - literal: {}\n", serde_json::to_string(word).unwrap()));
            }
            (PathBuf::from(format!("injection/list{number}.yaml")), yaml)
        });
        let set = from_sources(sources.collect()).unwrap_or_else(|problems| panic!("{problems}")).set;
        let wall = std::time::Instant::now();
        let scanner = Scanner::new(Arc::new(set)).unwrap();
        eprintln!("{size} literals compiled in {:.3} s", wall.elapsed().as_secs_f64());
        let patterns: Vec<(String, u32)> = words.iter().map(|word| (escape(word), hs::CASELESS)).collect();
        let mut cases = vec![case("portcullis scan only", ours(&scanner, false))];
        let (block, stream);
        if *size <= 10_000 {
            block = compiled(&patterns, false, keep);
            stream = compiled(&patterns, true, keep);
            cases.push(case("portcullis stream 64 B", ours_streaming(&scanner, 64)));
            cases.push(case("vectorscan block", theirs(&block, None)));
            cases.push(case("vectorscan stream 64 B", theirs(&stream, Some(64))));
            let dfa = AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .kind(Some(AhoCorasickKind::DFA))
                .build(&words)
                .unwrap();
            cases.push(case(
                "aho-corasick DFA",
                Box::new(move |documents| documents.iter().map(|text| dfa.find_iter(text).count() as u64).sum()),
            ));
        }
        compare(&format!("{size} literals"), cases, corpora, rounds);
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut folder, mut rounds, mut sizes, mut words) = (PathBuf::from("rules"), 5, Vec::new(), Vec::new());
    let (mut corpora, mut alone, mut level, mut only, mut keep) = (Vec::new(), false, 4, String::new(), None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--rules" => folder = value().into(),
            "--alone" => alone = true,
            "--keep" => keep = Some(PathBuf::from(value())),
            "--case" => only = value(),
            "--paranoia" => level = value().parse().expect("a paranoia level, 1 to 4"),
            "--rounds" => rounds = value().parse().expect("a number of rounds"),
            "--lists" => sizes = value().split(',').map(|size| size.parse().expect("a size")).collect(),
            "--words" => {
                let text = std::fs::read_to_string(value()).expect("the list of words");
                words = serde_json::from_str(&text).unwrap_or_else(|_| text.lines().map(str::to_owned).collect());
            }
            corpus => {
                let (name, path) =
                    corpus.split_once('=').unwrap_or_else(|| panic!("write NAME=FILE instead of {corpus}"));
                corpora.push((name.to_owned(), documents(path)));
            }
        }
    }
    if sizes.is_empty() {
        shipped(folder, keep.as_deref(), level, &corpora, rounds, alone, &only);
    } else {
        lists(&words, &sizes, keep.as_deref(), &corpora, rounds);
    }
}
