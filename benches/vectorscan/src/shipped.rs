//! The shipped rules: ours beside Vectorscan with every literal and regex of them.

use std::cmp::Reverse;
use std::sync::Arc;

use portcullis::rules::{Paranoia, PatternKind, load};
use portcullis::scan::{Context, Reading, Scanner, Scratch};

use crate::corpora::Corpus;
use crate::corpora::near_misses::{near_misses, shapes};
use crate::engines::{self, REPLY};
use crate::hs;
use crate::measure::{compare, cpu};
use crate::options::Options;
use crate::vectorscan::{Pattern, accepted, compiled, escape};

/// Patterns that cost most.
const COSTLY: usize = 15;

pub fn run(options: &Options) -> Result<(), String> {
    let start = cpu();
    let set = load(std::slice::from_ref(&options.rules)).map_err(|problems| problems.to_string())?.set;
    let level = options.paranoia;
    let set = set.in_force(Paranoia { blocking: level, executing: level });
    let read = cpu() - start;
    let start = std::time::Instant::now();
    let scanner = Scanner::new(Arc::new(set)).map_err(|error| error.to_string())?;
    let took = start.elapsed().as_secs_f64();
    let context = options.context;
    let patterns = written(&scanner, context);
    println!(
        "rules: {} rules, {} patterns for {}; read in {read:.3} s of this thread, compiled in {took:.3} s",
        scanner.rules().len(),
        patterns.len(),
        if context == REPLY { "replies" } else { "requests" }
    );
    let hostile = options.made_here.then(|| near_misses(&shapes(&scanner, context), &options.corpora[0]));
    let corpora: Vec<&Corpus> = options.corpora.iter().chain(&hostile).collect();
    let (set, scratch) = engines::memory(&scanner, context, &corpora);
    println!("memory: compiled set {:.1} MB, one scratch after these texts {:.1} MB", mb(set), mb(scratch));
    let mut cases = engines::ours(&scanner, context);
    if options.alone {
        profile(&scanner, context, &corpora);
        compare("rules", cases, &corpora, options.rounds, &options.case);
        return Ok(());
    }
    let keep = options.keep.as_deref();
    let taken = accepted(&patterns, false, keep)?;
    let refused = patterns.len() - taken.len();
    let block = compiled(&taken, false, keep)?;
    // Requests come whole.
    let stream = match context {
        REPLY => Some(compiled(&accepted(&patterns, true, keep)?, true, keep)?),
        _ => None,
    };
    let (version, size) = (hs::version(), mb(block.bytes()));
    println!("Vectorscan {version}: {refused} patterns refused, database for whole texts {size:.1} MB");
    cases.push(engines::block(&block));
    cases.extend(stream.as_ref().map(engines::stream));
    compare("rules", cases, &corpora, options.rounds, &options.case);
    Ok(())
}

/// Literals and regexes of the rules that read such texts, in Vectorscan's notation.
fn written(scanner: &Scanner, context: Context) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for (_, rule) in scanner.rules().iter().filter(|(_, rule)| rule.applies(context.direction, context.role)) {
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
    patterns
}

/// What the literal pass lets through, and the patterns that cost most.
fn profile(scanner: &Scanner, context: Context, corpora: &[&Corpus]) {
    for rule in scanner.without_literal().filter_map(|rule| scanner.rules().rule(rule)) {
        println!("no literal: {}", rule.id);
    }
    for corpus in corpora {
        let mut scratch = scanner.scratch();
        let mut out = Vec::new();
        let mut scan = |scratch: &mut Scratch| {
            for text in &corpus.documents {
                scanner.scan(text, Reading::Both, context, scratch, &mut out);
                out.clear();
            }
        };
        // States of automata that were not met before are made, which takes longer than anything else.
        scan(&mut scratch);
        scratch.profile();
        let before = scratch.sightings();
        scan(&mut scratch);
        let bytes = corpus.bytes();
        let seen = scratch.sightings();
        println!(
            "{}: {bytes} bytes, {} literals, {} of them at the gate, {} patterns passed",
            corpus.name,
            seen.literals - before.literals,
            seen.gate - before.gate,
            seen.passed - before.passed
        );
        if context == REPLY {
            let held = engines::held_back(scanner, corpus);
            let of_all = |share: usize| held.get(held.len() * share / 100).copied().unwrap_or(0);
            println!(
                "{}: held back after each piece: median {} bytes, 90 in a hundred at most {}, 99 at most {}",
                corpus.name,
                of_all(50),
                of_all(90),
                of_all(99)
            );
        }
        let mut costs: Vec<_> = scanner.costs(&scratch).collect();
        costs.sort_by_key(|(_, _, cost)| Reverse(cost.nanoseconds));
        let all: u64 = costs.iter().map(|(.., cost)| cost.nanoseconds).sum();
        println!("{}: searches of single patterns {:.3} ns/B", corpus.name, all as f64 / bytes as f64);
        for (rule, number, cost) in costs.iter().take(COSTLY) {
            let id = scanner.rules().rule(*rule).map_or("", |rule| &*rule.id);
            println!("{} {id}/{number} {:.3} ns/B {cost:?}", corpus.name, cost.nanoseconds as f64 / bytes as f64);
        }
    }
}

fn mb(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
