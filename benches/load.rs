//! How long a policy takes from files to a scanner: the shipped rules, and ten thousand generated ones.
//!
//! `cargo bench --bench load`; `-- 20` for the best of twenty runs. The best of several is what the machine can do: other
//! programs only ever make it slower. Processor time is that of all threads.

#![expect(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a bench without rules is of no use")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis::rules::{Family, from_sources};
use portcullis::scan::Scanner;

/// Path and content of each file.
type Sources = Vec<(PathBuf, String)>;

fn main() {
    let runs = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(5);
    println!(
        "{:<10} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "rules", "read", "check", "compile", "all", "cpu", "memory"
    );
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    if shipped.is_dir() {
        measure("shipped", runs, || {
            let mut sources = Vec::new();
            read(&shipped, &mut sources);
            sources
        });
    }
    let generated = generated();
    measure("generated", runs, || generated.clone());
}

/// The fastest of several loads, by what each step took.
fn measure(name: &str, runs: usize, read: impl Fn() -> Sources) {
    let mut steps = [Duration::MAX; 3];
    let (mut all, mut cpu) = (Duration::MAX, f64::INFINITY);
    let (mut rules, mut memory) = (0, 0);
    for _ in 0..runs.max(1) {
        let cpu_before = cpu_seconds();
        let started = Instant::now();
        let sources = read();
        let was_read = started.elapsed();
        let loaded = from_sources(sources).unwrap_or_else(|problems| panic!("{problems}"));
        let was_checked = started.elapsed();
        rules = loaded.set.len();
        let scanner = Scanner::new(Arc::new(loaded.set)).expect("the rules compile");
        let was_compiled = started.elapsed();
        cpu = cpu.min(cpu_seconds() - cpu_before);
        all = all.min(was_compiled);
        memory = scanner.memory();
        let took = [was_read, was_checked - was_read, was_compiled - was_checked];
        steps.iter_mut().zip(took).for_each(|(best, took)| *best = took.min(*best));
    }
    let [read, check, compile] = steps.map(|step| format!("{:.3} s", step.as_secs_f64()));
    let (all, cpu) = (format!("{:.3} s", all.as_secs_f64()), format!("{cpu:.2} s"));
    let memory = format!("{:.1} MB", memory as f64 / 1e6);
    println!("{name:<10} {rules:>6} {read:>9} {check:>9} {compile:>9} {all:>9} {cpu:>9} {memory:>9}");
}

/// Processor time of this process so far, where the system tells it.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    // A tick is a hundredth of a second on every Linux.
    ticks.sum::<f64>() / 100.0
}

/// All files below a folder: rules, and the lists that they name.
fn read(folder: &Path, sources: &mut Sources) {
    for entry in fs::read_dir(folder).expect("the rules can be read") {
        let path = entry.expect("the rules can be read").path();
        if path.is_dir() {
            read(&path, sources);
        } else if let Ok(content) = fs::read_to_string(&path) {
            sources.push((path, content));
        }
    }
}

/// Ten thousand rules, a thousand of each family: of four kinds, all different, the same in every run.
fn generated() -> Sources {
    let mut words = Words(1);
    Family::ALL
        .into_iter()
        .flat_map(|family| (0..10).map(move |file| (family, file)))
        .map(|(family, file)| {
            let mut content = format!("family: {}\nrules:\n", family.name());
            for number in file * 100..(file + 1) * 100 {
                rule(family, number, &mut words, &mut content);
            }
            (PathBuf::from(format!("{}/generated_{file}.yaml", family.name())), content)
        })
        .collect()
}

fn rule(family: Family, number: usize, words: &mut Words, content: &mut String) {
    let id = format!("{}-{number:03}", family.prefix());
    let mut any = || words.any();
    let (patterns, action) = match number % 4 {
        // A phrase, in a few forms.
        0 => {
            let literals = [(); 3].map(|()| format!("{{ literal: {} {} {}, word: true }}", any(), any(), any()));
            (literals.join(", "), "flag")
        }
        // An order to a model: a verb, words between, an object.
        1 => {
            let verbs = [(); 6].map(|()| any()).join("|");
            let objects = [(); 5].map(|()| any()).join("|");
            let regex = format!(
                r"\b(?:{verbs})\s{{1,3}}(?:(?:all|the|of|your)\s{{1,3}}){{0,3}}{}\s{{1,3}}(?:{objects})\b",
                any()
            );
            (format!("{{ regex: '{regex}' }}"), "score")
        }
        // A key with a prefix.
        2 => {
            let regex = format!(r"\b{}[_-]{}_[A-Za-z0-9]{{20,40}}\b", any(), any());
            (format!("{{ regex: '{regex}', on: raw }}"), "block")
        }
        // Words near each other.
        _ => (format!("{{ near: {{ words: 5, of: [{}, {}] }} }}", any(), any()), "flag"),
    };
    let _ = write!(
        content,
        "- id: {id}\n  title: 'Generated: {} and {}'\n  severity: high\n  tags: [owasp:LLM01:2025]\n  \
         applies: {{ direction: both }}\n  patterns: [{patterns}]\n  action: {action}\n  \
         examples: {{ match: [some text, another text], pass: ['plain, harmless', {}] }}\n",
        any(),
        any(),
        any()
    );
}

/// Words of five to nine letters that nobody says, in an order that does not repeat.
struct Words(u64);

impl Words {
    fn any(&mut self) -> String {
        const SYLLABLES: [&str; 32] = [
            "ba", "cor", "del", "fi", "gra", "hem", "in", "jo", "kal", "li", "mor", "nu", "or", "pa", "qui", "ra",
            "sto", "tem", "ul", "ver", "wi", "xe", "yo", "zan", "bre", "cha", "dru", "eth", "pho", "sha", "tri", "vol",
        ];
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut rest = self.0 >> 33;
        let mut word = String::new();
        for _ in 0..3 {
            word.push_str(SYLLABLES.get((rest % 32) as usize).copied().unwrap_or("a"));
            rest /= 32;
        }
        word
    }
}
