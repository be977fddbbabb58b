//! Rounds in turn, and what they took.

use std::hint::black_box;

use crate::corpora::Corpus;

/// Searches all documents and counts what is found.
pub type Run<'a> = Box<dyn FnMut(&[String]) -> u64 + 'a>;

/// One engine at work.
pub struct Case<'a> {
    name: &'static str,
    run: Run<'a>,
    seconds: Vec<f64>,
    found: u64,
}

impl<'a> Case<'a> {
    pub fn new(name: &'static str, run: Run<'a>) -> Self {
        Self { name, run, seconds: Vec::new(), found: 0 }
    }
}

/// Prints a line for each corpus and each case with `only` in its name.
pub fn compare(title: &str, cases: Vec<Case<'_>>, corpora: &[&Corpus], rounds: usize, only: &str) {
    let mut cases: Vec<Case<'_>> = cases.into_iter().filter(|case| case.name.contains(only)).collect();
    for corpus in corpora {
        for case in &mut cases {
            case.seconds.clear();
            black_box((case.run)(&corpus.documents[..corpus.documents.len().min(200)]));
        }
        for _ in 0..rounds {
            for case in &mut cases {
                let start = cpu();
                case.found = black_box((case.run)(&corpus.documents));
                case.seconds.push(cpu() - start);
            }
        }
        for case in &mut cases {
            print(title, corpus, case);
        }
    }
}

fn print(title: &str, corpus: &Corpus, case: &mut Case<'_>) {
    case.seconds.sort_by(f64::total_cmp);
    let bytes = corpus.bytes() as f64;
    let speed = |place: usize| bytes / case.seconds[place] / 1e9;
    let (first, middle, last) = (0, case.seconds.len() / 2, case.seconds.len() - 1);
    println!(
        "{title:<15} {:<13} {:<23} {:>8.4} GB/s ({:.4}..{:.4}) {:>9.2} matches/MB",
        corpus.name,
        case.name,
        speed(middle),
        speed(last),
        speed(first),
        case.found as f64 / bytes * 1e6
    );
}

/// Processor time of this thread in seconds.
pub fn cpu() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value of the right type.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
