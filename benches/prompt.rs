//! What the inspection of one long prompt takes on one core: canonical form, decoded layers, and every reading scanned with
//! the shipped rules, from the call that the pipeline makes; and the first two of these alone.
//!
//! `cargo bench --bench prompt -- NAME…`; without names, all texts of benches/corpora. Milliseconds for 400 KB, median and least
//! of the rounds.

#![expect(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a bench without rules is of no use")]

#[expect(dead_code, reason = "other benches take what this one does not")]
mod corpora;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corpora::near_misses::{near_misses, shapes};
use portcullis::base::{FaultAction, FaultPolicy, Limits};
use portcullis::inspect::{BlockEnd, OpaqueAction, OpaqueKind, Snapshot, Subject};
use portcullis::rules::{Facts, load};
use portcullis::scan::{Context, Scanner};
use portcullis::text::{Direction, Passage, Role, canonical, layers_of};
use portcullis::verdict::{Levels, ModelLevels, ModelThresholds, Policy, Thresholds};

/// The size of the prompt that the project's targets speak of.
const BYTES: usize = 400 * 1024;

const ROUNDS: usize = 20;

/// A message of one passage.
#[derive(Clone)]
struct Prompt(Vec<Passage<'static>>);

impl Subject for Prompt {
    fn passages(&self) -> &[Passage<'static>] {
        &self.0
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // A test runner that lists or runs all targets: there is no test here.
    if arguments.iter().any(|argument| matches!(argument.as_str(), "--list" | "--test")) {
        return;
    }
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let snapshot = snapshot(root);
    let (rules, memory) = (snapshot.scanner.rules().len(), snapshot.scanner.memory() as f64 / 1e6);
    println!("{rules} rules, {memory:.1} MB compiled");
    println!("{:<14}{:>11}{:>11}{:>22}", "ms per 400 KB", "canonical", "layers", "inspection (least)");
    let mut corpora = corpora::clean(root);
    let context = Context { direction: Direction::Request, role: Role::User };
    corpora.push(near_misses(&shapes(&snapshot.scanner, context), &corpora[0]));
    for corpus in corpora {
        if names.is_empty() || names.iter().any(|name| corpus.name.contains(*name)) {
            measure(&corpus.name, corpus.text(BYTES), &snapshot);
        }
    }
    let memory = snapshot.scanner.scratch().memory() as f64 / 1e6;
    println!("memory of the scratch after these texts: {memory:.1} MB");
}

fn measure(name: &str, text: String, snapshot: &Arc<Snapshot>) {
    let limits = Limits::default();
    let (folding, _) = timed(|| drop(black_box(canonical(black_box(&text)))));
    let folded = canonical(&text);
    let (decoding, _) = timed(|| drop(black_box(layers_of(black_box(&folded), &limits))));
    let passage = Passage::new(Role::User, "/messages/0/content", text.clone());
    let mut prompts = vec![Prompt(vec![passage]); ROUNDS + 1];
    let facts = Facts::default();
    let (median, least) = timed(|| {
        let prompt = prompts.pop().unwrap_or_else(|| panic!("a prompt for each round"));
        drop(black_box(snapshot.scan(prompt, Direction::Request, &facts)));
    });
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!("{name:<14}{:>11.2}{:>11.2}{:>12.2} ({:.2})", ms(folding), ms(decoding), ms(median), ms(least));
}

/// Median and least of the rounds, after one that does not count.
fn timed(mut work: impl FnMut()) -> (Duration, Duration) {
    work();
    let mut took: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    took.sort_unstable();
    (took[ROUNDS / 2], took[0])
}

fn snapshot(root: &Path) -> Arc<Snapshot> {
    let loaded = load(&[root.join("rules")]).unwrap_or_else(|problems| panic!("{problems}"));
    let levels = Levels { flag: 2, block: Some(5) };
    let off = ModelLevels { flag: None, block: None };
    Arc::new(Snapshot {
        scanner: Scanner::new(Arc::new(loaded.set)).expect("the shipped rules compile"),
        policy: Policy {
            score: Thresholds { operator: levels, user: levels, untrusted: levels, provider: levels },
            model: ModelThresholds { operator: off, user: off, untrusted: off, provider: off },
        },
        faults: FaultPolicy::from_names(|_| FaultAction::Block),
        opaque: OpaqueKind::ALL.map(|kind| (kind, OpaqueAction::Refuse)).into_iter().collect(),
        block_end: BlockEnd::Hold,
        limits: Arc::new(Limits::default()),
        version: "bench".to_owned(),
    })
}
